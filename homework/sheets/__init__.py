"""Worksheets: lays an assignment out on paper and says where every field landed."""
