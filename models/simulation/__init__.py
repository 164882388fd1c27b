"""A classroom to try things in: pens, pupils, paper and a desk, all drawn here, none of it anybody's data."""
