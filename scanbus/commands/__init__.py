"""What each word after `scanbus` does."""
