"""How the packaged checkpoint is made and measured. Not part of the wheel."""
