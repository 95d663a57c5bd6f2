"""The report's pictures, each a function from an arranged report to one SVG element."""
