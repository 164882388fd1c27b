"""What leaves the house in other houses' formats, class by class, in memory that does not grow with the school."""
