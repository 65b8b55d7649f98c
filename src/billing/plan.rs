//! Whether a plan makes sense.
