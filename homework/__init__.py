"""The domain that both programs speak: assignments, rosters, layouts, readings, verdicts. Pure; imports nothing of ours."""
