"""How answers leave the program: a terminal's table, text for programs, one HTML page, files."""
