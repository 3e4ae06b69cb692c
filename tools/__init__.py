"""What a maintainer runs: the package, the pictures, the table of settings."""
