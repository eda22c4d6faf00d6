"""What a tuning is made of: which settings it tries, its trainings on record, and each of them."""
