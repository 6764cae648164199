"""What is known of a profile, kept in one SQLite file and a folder of thumbnails."""
