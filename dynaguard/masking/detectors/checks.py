"""Check digits and ranges: what tells a number of a kind from any number of its length.

Each function takes the digits (and letters) without separators.
"""

from __future__ import annotations

from typing import Final

_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_DNI_LETTERS: Final = "TRWAGMYFPDXBNJZSQVHLCKE"
_NIE_PREFIXES: Final = "XYZ"
_PESEL_WEIGHTS: Final = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)

# Issuer prefixes with their lengths. Source: ISO/IEC 7812 and the card networks' own BIN tables.
_CARD_LENGTHS_BY_PREFIX: Final = (
    (range(4, 5), 1, frozenset({13, 16, 19})),  # Visa
    (range(51, 56), 2, frozenset({16})),  # Mastercard
    (range(2221, 2721), 4, frozenset({16})),  # Mastercard
    (range(34, 35), 2, frozenset({15})),  # American Express
    (range(37, 38), 2, frozenset({15})),  # American Express
    (range(6011, 6012), 4, frozenset({16, 19})),  # Discover
    (range(644, 650), 3, frozenset({16, 19})),  # Discover
    (range(65, 66), 2, frozenset({16, 19})),  # Discover
    (range(3528, 3590), 4, frozenset({16, 19})),  # JCB
    (range(300, 306), 3, frozenset({14})),  # Diners Club
    (range(36, 37), 2, frozenset({14})),  # Diners Club
    (range(38, 40), 2, frozenset({14})),  # Diners Club
    (range(62, 63), 2, frozenset({16, 17, 18, 19})),  # UnionPay
    (range(50, 51), 2, frozenset({16, 19})),  # Maestro
    (range(56, 59), 2, frozenset({16, 19})),  # Maestro
)

# Source: SWIFT, IBAN Registry: country and the length of its IBANs.
IBAN_LENGTH_BY_COUNTRY: Final = {
    country: int(length)
    for country, length in (
        entry.split(":")
        for entry in (
            "AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BI:27 BR:29 BY:28 CH:21 CR:22 "
            "CY:28 CZ:24 DE:22 DJ:27 DK:18 DO:28 EE:20 EG:29 ES:24 FI:18 FK:18 FO:18 FR:27 GB:22 "
            "GE:22 GI:23 GL:18 GR:27 GT:28 HN:28 HR:21 HU:28 IE:22 IL:23 IQ:23 IS:26 IT:27 JO:30 "
            "KW:30 KZ:20 LB:28 LC:32 LI:21 LT:20 LU:20 LV:21 LY:25 MC:27 MD:24 ME:22 MK:19 MN:20 "
            "MR:27 MT:31 MU:30 NI:28 NL:18 NO:15 OM:23 PK:24 PL:28 PS:29 PT:25 QA:29 RO:24 RS:22 "
            "RU:33 SA:24 SC:31 SD:18 SE:24 SI:19 SK:24 SM:27 SO:23 ST:25 SV:28 TL:23 TN:24 TR:26 "
            "UA:29 VA:22 VG:24 XK:20 YE:30"
        ).split()
    )
}


def is_payment_card(digits: str) -> bool:
    """Issuer prefix, length and Luhn's check digit."""
    length = len(digits)
    if digits.count(digits[0]) == length:
        return False
    for prefixes, size, lengths in _CARD_LENGTHS_BY_PREFIX:
        if length in lengths and int(digits[:size]) in prefixes:
            return has_luhn_digit(digits)
    return False


def has_luhn_digit(digits: str) -> bool:
    """Source: ISO/IEC 7812-1, annex B."""
    values = [ord(digit) - 48 for digit in digits]
    return (sum(values[-1::-2]) + sum(_DOUBLED[value] for value in values[-2::-2])) % 10 == 0


def is_iban(text: str) -> bool:
    """Country, its length, and 97 as the modulus. Source: ISO 13616, ISO 7064 MOD 97-10."""
    if IBAN_LENGTH_BY_COUNTRY.get(text[:2]) != len(text) or not "02" <= text[2:4] <= "98":
        return False
    return int("".join(str(int(char, 36)) for char in text[4:] + text[:4])) % 97 == 1


def is_us_ssn(digits: str) -> bool:
    """An area, group and serial that are assigned. Source: SSA, *SSN randomization*, 2011."""
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    is_area = area not in {"000", "666"} and area < "900"
    return is_area and group != "00" and serial != "0000"


def is_nanp_phone(digits: str) -> bool:
    """Ten digits of the North American plan: area and exchange begin with 2 to 9."""
    return digits[0] > "1" and digits[3] > "1" and digits[1:3] != "11"


def is_br_cpf(digits: str) -> bool:
    """Brazil's CPF: two digits of weighted sums, modulus 11."""
    if digits.count(digits[0]) == len(digits):
        return False
    values = [ord(digit) - 48 for digit in digits]
    for count in (9, 10):
        total = sum(value * (count + 1 - at) for at, value in enumerate(values[:count]))
        if total * 10 % 11 % 10 != values[count]:
            return False
    return True


def is_de_tax_id(digits: str) -> bool:
    """Germany's IdNr: ISO 7064 MOD 11,10; of ten digits one comes twice or thrice."""
    if digits[0] == "0":
        return False
    counts = sorted(digits[:10].count(digit) for digit in set(digits[:10]))
    if counts not in ([1] * 8 + [2], [1] * 7 + [3]):
        return False
    product = 10
    for digit in digits[:10]:
        product = ((ord(digit) - 48 + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == ord(digits[10]) - 48


def is_es_dni(text: str) -> bool:
    """Spain's DNI and NIE: a letter by the number modulo 23; X, Y, Z stand for 0, 1, 2."""
    if text[0] in _NIE_PREFIXES:
        text = f"{_NIE_PREFIXES.index(text[0])}{text[1:]}"
    return _DNI_LETTERS[int(text[:-1]) % 23] == text[-1]


def is_fr_nir(text: str) -> bool:
    """France's NIR with its key: sex, year, month, department ..., modulo 97."""
    number = text[:13].replace("2A", "19").replace("2B", "18")
    month = int(number[3:5])
    is_month = 1 <= month <= 12 or 20 <= month <= 42 or month >= 50
    return text[0] in "12" and is_month and 97 - int(number) % 97 == int(text[13:])


def is_nl_bsn(digits: str) -> bool:
    """The Netherlands' BSN: weights 9 to 2 and -1, modulus 11."""
    weighted = sum((ord(digit) - 48) * (9 - at) for at, digit in enumerate(digits[:8]))
    return digits != "000000000" and (weighted - (ord(digits[8]) - 48)) % 11 == 0


def is_pl_pesel(digits: str) -> bool:
    """Poland's PESEL: a date with its century in the month, and a weighted sum, modulus 10."""
    month, day = int(digits[2:4]) % 20, int(digits[4:6])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return False
    total = sum(
        weight * (ord(digit) - 48) for weight, digit in zip(_PESEL_WEIGHTS, digits, strict=False)
    )
    return (10 - total % 10) % 10 == ord(digits[10]) - 48
