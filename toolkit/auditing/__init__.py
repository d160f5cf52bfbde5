"""What is wrong with a corpus, told before anything trains: one pass that reads on, findings with lines, a report."""

from toolkit.auditing.file_audit import audit
from toolkit.auditing.record import Audit, Example, Finding, Side

__all__ = ["Audit", "Example", "Finding", "Side", "audit"]
