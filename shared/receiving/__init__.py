"""What arrives: people's texts, delivery reports, and what could not be understood."""
