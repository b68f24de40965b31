"""From what is wanted to the stages that make it. Pure functions: nothing is read, run or asked here."""
