"""What is known of how each result was made: in-toto statements, and the bills of materials they name."""
