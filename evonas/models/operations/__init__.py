"""Operations: what a cell applies to one state, as `networks.cells.operations` says."""
