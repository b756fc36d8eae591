"""How well a head agrees with people, in RSMTool's names and formulas: arrays in, a dict of plain numbers out."""

from worker.report.whole import Evaluated, report_of

__all__ = ["Evaluated", "report_of"]
