"""R7: what was issued, measured or in force stays, against raw SQL as the application's role."""
