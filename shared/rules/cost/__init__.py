"""What texts cost in money, before they are sent: a dated price table and sums over it."""
