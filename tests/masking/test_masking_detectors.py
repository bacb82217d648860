"""Detectors: against a labelled corpus, against python-stdnum, and case by case."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import stdnum.br.cpf
import stdnum.de.idnr
import stdnum.es.dni
import stdnum.es.nie
import stdnum.fr.nir
import stdnum.iban
import stdnum.luhn
import stdnum.nl.bsn
import stdnum.pl.pesel
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.call import StatementRef
from dynaguard.errors import ConfigurationError
from dynaguard.masking.detectors import KNOWN_KINDS, checks, detection_of, scan
from dynaguard.masking.findings import SEPARATOR
from dynaguard.masking.registry import register_detector, register_strategy
from dynaguard.masking.strategies import REDACT
from dynaguard.policy.mask_section import DETECTORS
from dynaguard.policy.model import MaskStatement

CORPUS = Path(__file__).parent.parent / "corpus" / "detectors.jsonl"

PAGE = Path(__file__).parent.parent.parent / "docs" / "masking.md"

_ROW = re.compile(r"^\| `([a-z-]+)` \|.*\| ([01]\.[0-9]{2}) \|$", re.MULTILINE)

# What the documentation states. What precision misses are random numbers that pass a check digit.
STATED_PRECISION = {
    kind: float(precision) for kind, precision in _ROW.findall(PAGE.read_text(encoding="utf-8"))
}


def corpus() -> list[tuple[str, set[tuple[int, int, str]]]]:
    """Texts and their labels."""
    lines = CORPUS.read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [(row["text"], {(s, e, kind) for s, e, kind in row["spans"]}) for row in rows]


def measure(kind: str, rows: Any) -> tuple[float, float]:
    """Precision and recall of one kind, by exact place."""
    counts: Counter[str] = Counter()
    for text, labels in rows:
        wanted = {span for span in labels if span[2] == kind}
        found = set(scan(text, frozenset({kind})))
        counts["right"] += len(found & wanted)
        counts["found"] += len(found)
        counts["wanted"] += len(wanted)
    return counts["right"] / counts["found"], counts["right"] / counts["wanted"]


ROWS = corpus()


@pytest.mark.parametrize("kind", DETECTORS)
def test_every_planted_value_is_found_and_little_else(kind: str) -> None:
    """recall 1.0 on the corpus, precision as the documentation states it."""
    precision, recall = measure(kind, ROWS)

    assert recall == 1.0
    assert precision >= STATED_PRECISION[kind] > precision - 0.01


def test_joined_texts_have_the_same_values_as_single_ones() -> None:
    """finds in all texts of an answer at once what it finds in each."""
    texts = [text for text, _ in ROWS]
    singly = Counter(kind for text in texts for _, _, kind in scan(text, KNOWN_KINDS))

    together = Counter(kind for _, _, kind in scan(SEPARATOR.join(texts), KNOWN_KINDS))

    assert together == singly


def test_the_corpus_is_what_its_script_writes(tmp_path: Path) -> None:
    """the published file can be made again."""
    script = Path(__file__).parent.parent.parent / "tools" / "generate_detector_corpus.py"
    program = (
        "import runpy, pathlib, sys; module = runpy.run_path(sys.argv[1]);"
        "module['main'].__globals__['TARGET'] = pathlib.Path(sys.argv[2]); module['main']()"
    )
    target = tmp_path / "corpus.jsonl"
    subprocess.run([sys.executable, "-c", program, str(script), str(target)], check=True)

    assert target.read_bytes() == CORPUS.read_bytes()


def test_policies_can_name_every_kind() -> None:
    """the names that the loader takes are those that are found."""
    assert set(DETECTORS) == KNOWN_KINDS == STATED_PRECISION.keys()


DIGITS = st.text("0123456789", min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("check", "peer", "length"),
    [
        (checks.has_luhn_digit, stdnum.luhn.is_valid, None),
        (checks.is_br_cpf, stdnum.br.cpf.is_valid, 11),
        (checks.is_de_tax_id, stdnum.de.idnr.is_valid, 11),
        (checks.is_nl_bsn, stdnum.nl.bsn.is_valid, 9),
    ],
    ids=["luhn", "br-cpf", "de-tax-id", "nl-bsn"],
)
@given(data=st.data())
def test_check_digits_agree_with_stdnum(
    check: Any, peer: Any, length: int | None, data: Any
) -> None:
    """the same verdict on random digits, and on those made to pass but for the last."""
    size = {"min_size": length, "max_size": length} if length else {"min_size": 2, "max_size": 20}
    digits = data.draw(st.text("0123456789", **size))
    for last in "0123456789":
        candidate = digits[:-1] + last
        if length == 11 and peer is stdnum.br.cpf.is_valid and len(set(candidate)) == 1:
            continue  # stdnum takes 111.111.111-11 for valid; nobody has it
        assert check(candidate) is peer(candidate), candidate


@given(body=st.text("0123456789", min_size=8, max_size=8), letter=st.sampled_from("ABCDEFGHIJ"))
def test_spanish_letters_agree_with_stdnum(body: str, letter: str) -> None:
    """of citizens and residents."""
    assert checks.is_es_dni(body + letter) is stdnum.es.dni.is_valid(body + letter)
    resident = "XYZ"[int(body[0]) % 3] + body[1:] + letter
    assert checks.is_es_dni(resident) is stdnum.es.nie.is_valid(resident)


@given(number=st.integers(1_00_01_01_001_001, 2_99_12_95_990_990), key=st.integers(1, 97))
def test_french_keys_agree_with_stdnum(number: int, key: int) -> None:
    """the key alone; stdnum knows nothing of months."""
    right = int(stdnum.fr.nir.calc_check_digits(str(number)))
    month = int(str(number)[3:5])
    has_month = 1 <= month <= 12 or 20 <= month <= 42 or month >= 50

    assert checks.is_fr_nir(f"{number}{right:02}") is has_month
    assert not checks.is_fr_nir(f"{number}{key:02}") or key == right


@given(
    country=st.sampled_from(sorted(checks.IBAN_LENGTH_BY_COUNTRY)),
    body=st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=31, max_size=31),
    off=st.integers(0, 3),
)
def test_ibans_agree_with_stdnum(country: str, body: str, off: int) -> None:
    """the length of the country and 97 as the modulus."""
    bban = body[: checks.IBAN_LENGTH_BY_COUNTRY[country] - 4]
    digits = stdnum.iban.calc_check_digits(f"{country}00{bban}")
    candidate = f"{country}{(int(digits) + off) % 100:02}{bban}"

    assert checks.is_iban(candidate) is (off == 0)


CASES = [
    ("email", "ada@example.org", "ada@example.org"),
    ("email", "<ada@example.org>", "ada@example.org"),
    ("email", "mailto:ada@example.org?x", "ada@example.org"),
    ("email", "https://u:p@db.example.org/", "p@db.example.org"),
    ("email", ".ada@example.org", "ada@example.org"),
    ("email", "ada@example", None),
    ("email", "@example.org", None),
    ("email", "ada@@example.org", None),
    ("email", "a@b.c", None),
    ("payment-card", "4111111111111111", "4111111111111111"),
    ("payment-card", "4111-1111-1111-1111", "4111-1111-1111-1111"),
    ("payment-card", "4111 1111-1111 1111", None),
    ("payment-card", "4111111111111112", None),
    ("payment-card", "1111111111111117", None),
    ("payment-card", "X4111111111111111", None),
    ("payment-card", "4444444444444444", None),
    ("payment-card", "4111111111111111Y", None),
    ("payment-card", "4444444444444448", "4444444444444448"),
    ("payment-card", "id 1234 4111 1111 1111 1111", "4111 1111 1111 1111"),
    ("us-ssn", "219-09-9999", "219-09-9999"),
    ("us-ssn", "000-12-3456", None),
    ("us-ssn", "666-12-3456", None),
    ("us-ssn", "900-12-3456", None),
    ("us-ssn", "219-00-9999", None),
    ("us-ssn", "219-09-0000", None),
    ("us-ssn", "219099999", None),
    ("iban", "DE89370400440532013000", "DE89370400440532013000"),
    ("iban", "DE89 3704 0044 0532 0130 00.", "DE89 3704 0044 0532 0130 00"),
    ("iban", "DE89 3704 0044 0532 0130 01", None),
    ("iban", "DE8937040044053201300", None),
    ("iban", "ZZ89370400440532013000", None),
    ("iban", "DE893704004405320130001", None),
    ("phone", "+49 30 901820", "+49 30 901820"),
    ("phone", "+49(30)901820-1", "+49(30)901820-1"),
    ("phone", "+12", None),
    ("phone", "(415) 555-2671", "(415) 555-2671"),
    ("phone", "(115) 555-2671", None),
    ("phone", "415-555-2671", "415-555-2671"),
    ("phone", "115-555-2671", None),
    ("phone", "4155552671", None),
    ("jwt", "eyJhbGciOiJub25lIn0.eyJhIjoxfQ.", "eyJhbGciOiJub25lIn0.eyJhIjoxfQ."),
    ("jwt", "eyJhIjoiYiJ9AAAA.eyJhIjoxfQ.x", None),
    ("jwt", "eyJ!!!!.eyJhIjoxfQ.x", None),
    ("jwt", "eyJ________.eyJhIjoxfQ.x", None),
    ("pem", "-----BEGIN X-----\nabc", "-----BEGIN X-----\nabc"),
    ("pem", "-----BEGIN -----", None),
    ("pem", "-----BEGIN x-----", None),
    ("aws-access-key-id", "AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
    ("aws-access-key-id", "XAKIAIOSFODNN7EXAMPLE", None),
    ("aws-access-key-id", "AKIAIOSFODNN7EXAMPLES", None),
    (
        "aws-secret-access-key",
        "secret: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    ),
    ("aws-secret-access-key", "value: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None),
    ("aws-secret-access-key", "da39a3ee5e6b4b0d3255bfef95601890afd80709", None),
    ("aws-secret-access-key", "forty characters of words are no secret!", None),
    ("es-dni", "12345678Z", "12345678Z"),
    ("es-dni", "12345678-Z", "12345678-Z"),
    ("es-dni", "X-1234567-L", "X-1234567-L"),
    ("es-dni", "12345678A", None),
    ("fr-nir", "255081416802538", "255081416802538"),
    ("fr-nir", "355081416802538", None),
    ("br-cpf", "111.444.777-35", "111.444.777-35"),
    ("br-cpf", "111.444-777.35", None),
    ("br-cpf", "111.111.111-11", None),
    ("br-cpf", "1.111.444.777-35", None),
    ("nl-bsn", "111222333", "111222333"),
    ("nl-bsn", "-12.111222333", None),
    ("nl-bsn", "111222333-4", None),
    ("nl-bsn", "7 111222333 4", "111222333"),
    ("iban", "DE00248999172459212782", None),
]


@pytest.mark.parametrize(("kind", "text", "found"), CASES)
def test_values_are_told_from_what_looks_alike(kind: str, text: str, found: str | None) -> None:
    """finds exactly the value, or nothing."""
    spans = scan(text, frozenset({kind}))

    assert [text[start:end] for start, end, _ in spans] == ([] if found is None else [found])


@given(st.text(st.sampled_from("0123456789 -.+@AKIZDE()\0é{}:=eyJ/_abz"), max_size=80))
def test_any_text_can_be_looked_through(text: str) -> None:
    """gives places within the text, each within one of the joined texts, whatever it holds."""
    for start, end, kind in scan(text, KNOWN_KINDS):
        assert 0 <= start < end <= len(text)
        assert kind in KNOWN_KINDS
        assert SEPARATOR not in text[start:end]


def test_a_set_among_the_texts_is_looked_into_element_by_element() -> None:
    """finds what is a whole element."""
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    for parts in (["first", f"a{SEPARATOR}{secret}"], ["first", secret]):
        joined = SEPARATOR.join(parts)

        (span,) = scan(joined, frozenset({"aws-secret-access-key"}), parts)

        assert joined[span[0] : span[1]] == secret


# --- the document's and the program's own -------------------------------------------------------


def detection(*names: str, **patterns: str) -> Any:
    """A detection of these names."""
    statement = MaskStatement(StatementRef("m"), ("*",), (), detectors=names)
    return detection_of(statement, REDACT, patterns)


@pytest.mark.parametrize("has_re2", [True, False])
def test_a_pattern_of_the_document_finds_its_values(
    has_re2: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """by google-re2 where it is installed, by `re` where not, with the same result."""
    if not has_re2:
        monkeypatch.setitem(sys.modules, "re2", None)

    found = detection("badge", badge="B-[0-9]+").find(
        "see B-17 and\0B-x, B-4é", ["see B-17 and", "B-x, B-4é"]
    )

    assert found == [(4, 8, "badge"), (18, 21, "badge")]


def test_a_pattern_that_re2_does_not_take_is_an_error() -> None:
    """names the detector."""
    with pytest.raises(ConfigurationError, match="detector `odd` is no pattern of google-re2"):
        detection("odd", odd="(?=a)b")


def test_a_name_that_is_nowhere_is_an_error() -> None:
    """a document that was checked has none."""
    with pytest.raises(ConfigurationError, match="names `nothing`"):
        detection("nothing")


@pytest.mark.parametrize(
    "finder",
    [
        lambda text: 1 / 0,
        lambda text: [(0, 99)],
        lambda text: [(3, 1)],
        lambda text: ["CANARY"],
        lambda text: None,
    ],
)
def test_a_detector_that_fails_hides_the_whole_text(
    finder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """a bug of the program's must not show what it was to hide."""
    monkeypatch.setattr("dynaguard.masking.registry._detectors", {"mine": finder})

    found = detection("custom:mine").find("abc", ["abc"])

    assert found == [(0, 3, "custom:mine")]


@pytest.mark.parametrize("register", [register_strategy, register_detector])
def test_registering_is_checked(register: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """a name of the form that policies write, something to call, and no second one."""
    for registry in ("_strategies", "_detectors"):
        monkeypatch.setattr(f"dynaguard.masking.registry.{registry}", {})

    def mine(text: str) -> Any:
        return ""

    register("mine", mine)
    register("mine", mine)
    with pytest.raises(ConfigurationError, match="`mine` is registered already"):
        register("mine", lambda text: "")
    with pytest.raises(ConfigurationError, match="`My Name` is no name"):
        register("My Name", mine)
    with pytest.raises(ConfigurationError, match="cannot be called"):
        register("other", "text")


def test_an_unregistered_name_tells_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    """says what to do."""
    monkeypatch.setattr("dynaguard.masking.registry._detectors", {"badge": lambda text: []})

    with pytest.raises(ConfigurationError, match=r"did you mean `custom:badge`.*before `install"):
        detection("custom:bagde")
