"""Pictures as SVG, written without a plotting library: drawing, axes, charts, matrices.

Text stays text, and colours follow the reader's light or dark theme. Nothing here knows what is
drawn.
"""
