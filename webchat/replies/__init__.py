"""How an answer is asked for, run, recorded, watched and stopped."""
