"""What a run of the demo must have shown; each clause that it did not is a finding."""

from __future__ import annotations

from collections.abc import Iterator

from dynaguard.demo.results import BatchWrite, DemoResult, MaskedRead, Refusal


def unmet_expectations(result: DemoResult) -> tuple[str, ...]:
    """Expectations that the run did not meet, one clause each; empty when all is well."""
    return tuple(_check(result))


def _check(result: DemoResult) -> Iterator[str]:
    yield from _check_read(result.masked_read)
    for refusal in result.refusals:
        yield from _check_refusal(refusal)
    for write in result.batch_writes:
        if write.is_guarded:
            yield from _check_write(write)
    yield from _check_evidence(result)


def _check_read(read: MaskedRead) -> Iterator[str]:
    if not read.items:
        yield f"the query of {read.table} gave no items"
    if read.plain_emails:
        yield f"{read.plain_emails} e-mail addresses of {read.table} came back unmasked"
    if read.plain_cards:
        yield f"{read.plain_cards} card numbers of {read.table} came back unmasked"


def _check_refusal(refusal: Refusal) -> Iterator[str]:
    if refusal.statement != refusal.expected_statement:
        by = f"refused by {refusal.statement}" if refusal.statement else "not refused by dynaguard"
        yield f"`{refusal.title}` was {by}, it should be refused by {refusal.expected_statement}"
    if refusal.requests_sent:
        yield f"`{refusal.title}` sent {refusal.requests_sent} requests, it should send none"


def _check_write(write: BatchWrite) -> Iterator[str]:
    if write.error:
        yield f"the write to {write.table} ended with {write.error}"
    if write.arrived != write.items:
        yield f"{write.arrived} of {write.items} items arrived in {write.table}"
    if not write.throttled_requests and not write.items_handed_back:
        yield f"the write to {write.table} was not throttled"
    if write.retries_refused:
        yield f"the retry budget of {write.table} was spent"
    if write.audited_attempts != write.requests:
        yield (
            f"{write.requests} requests to {write.table} reached the proxy and "
            f"{write.audited_attempts} are on record"
        )


def _check_evidence(result: DemoResult) -> Iterator[str]:
    evidence, summary = result.evidence, result.summary
    what = f"the call {evidence.correlation_id}"
    if evidence.header != evidence.correlation_id or not evidence.is_header_signed:
        yield f"{what} went out without its signed correlation header"
    if evidence.correlation_id not in evidence.user_agent_token:
        yield f"{what} went out without its id in the User-Agent"
    if not evidence.span:
        yield f"{what} left no span"
    if not evidence.record:
        yield f"{what} left no audit record"
    refused = sum(summary.denials_by_statement.values())
    if refused != len(result.refusals):
        yield f"{refused} refusals are on record, there should be {len(result.refusals)}"
