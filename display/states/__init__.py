"""What is known now, as messages: each part of a frame made of what stands behind it."""
