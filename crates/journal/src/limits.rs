//! The limits of a segment, each with its reason.

/// Bytes of a frame: the engine as it stood with what a segment says of itself, and each single entry, must fit.
///
/// An engine is 28 KiB at worst, with every slot, order and remembered execution in use and every number at its largest; the
/// largest entry is a snapshot of 200 open orders, 19 KiB. What does not fit ends the segment with a gap.
pub const FRAME_MAX: usize = 48 << 10;
