"""What both programs pages share: base page, style sheet, languages, terminal."""
