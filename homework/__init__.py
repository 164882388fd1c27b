"""The domain that both programs speak. Pure; imports nothing of ours."""
