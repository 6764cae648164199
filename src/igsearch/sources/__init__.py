"""Where photos come from: one module per kind of source, each satisfying `igsearch.records.Source`; `detect` tells which one a path is."""
