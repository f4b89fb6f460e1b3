//! Steps for images: rows `[channels, height, width]`, with the geometry and the defaults of
//! [torchvision](https://docs.pytorch.org/vision/stable/transforms.html).

mod affine;
mod blur;
mod colour;
mod crop;
mod erase;
mod flip;

pub use affine::Affine;
pub use blur::Blur;
pub use colour::ColourJitter;
pub use crop::{Crop, Padding};
pub use erase::Erase;
pub use flip::{FlipHorizontal, FlipVertical};

#[cfg(test)]
pub(super) use self::{
    affine::{Placement, warp},
    blur::blur,
    colour::{brighten, contrast, saturate, turn_hue},
    crop::crop,
};

/// Height and width of `[channels, height, width]`, neither of them 0.
fn size(shape: &[usize]) -> [usize; 2] {
    match *shape {
        [.., height, width] => [height.max(1), width.max(1)],
        _ => [1, 1],
    }
}

/// The pixel that is reflected at the border to stand at `at`, without the border's pixel twice;
/// `at` is less than `len` beyond either border.
fn reflect(at: isize, len: usize) -> usize {
    let last = len as isize - 1;
    let inside = at.abs();
    (if inside > last { 2 * last - inside } else { inside }).clamp(0, last) as usize
}
