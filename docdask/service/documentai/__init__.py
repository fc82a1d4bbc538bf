"""The client of Google Document AI: online calls, batch operations, credentials, checks."""

from docdask.service.documentai.client import DEADLINE_S, DocumentAI
from docdask.service.documentai.values import Answer, Check, FileStatus, Operation, ProcessorFacts

__all__ = ["DEADLINE_S", "Answer", "Check", "DocumentAI", "FileStatus", "Operation", "ProcessorFacts"]
