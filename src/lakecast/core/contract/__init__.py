"""Row rules of the data contract, decided on one chunk at a time: no I/O, no clock."""
