"""Worksheets: lays an assignment out on paper and says where every field landed."""

from homework.sheets.make import SheetSet, make_sheets

__all__ = ["SheetSet", "make_sheets"]
