//! One file as numbers.

use std::io::BufReader;
use std::path::Path;

use image::imageops::{FilterType, crop_imm, resize};
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, ImageBuffer, ImageDecoder, ImageError, ImageReader, Pixel};

use super::{Colours, ImageOptions};
use crate::DataError;

/// A file as bytes `[channels, height, width]`, upright as its EXIF data say, with its height and
/// width.
pub(crate) fn decode(
    path: &Path,
    options: &ImageOptions,
) -> Result<(Vec<u8>, [usize; 2]), DataError> {
    let mut decoder = open(path)?;
    let turned = orientation(&mut decoder);
    let mut image = DynamicImage::from_decoder(decoder).map_err(|e| undecodable(path, e))?;
    image.apply_orientation(turned);
    let image = image.into_rgb8();
    match options.colours {
        Colours::Rgb => finish(path, options, image),
        Colours::Grey => finish(
            path,
            options,
            GrayImage::from_fn(image.width(), image.height(), |x, y| {
                image::Luma([grey(image.get_pixel(x, y).0)])
            }),
        ),
    }
}

/// Height and width of an upright file, from its beginning alone.
pub(super) fn upright_size(path: &Path) -> Result<[usize; 2], DataError> {
    let mut decoder = open(path)?;
    let (width, height) = decoder.dimensions();
    let turned = matches!(
        orientation(&mut decoder),
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    );
    let size = if turned { [width, height] } else { [height, width] };
    Ok(size.map(|side| side as usize))
}

fn open(path: &Path) -> Result<impl ImageDecoder + use<>, DataError> {
    let file = std::fs::File::open(path)
        .map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    // What a file is called says nothing about what it is.
    let reader = ImageReader::new(BufReader::new(file))
        .with_guessed_format()
        .map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    reader.into_decoder().map_err(|e| undecodable(path, e))
}

/// A damaged description of a picture does not make it useless.
fn orientation(decoder: &mut impl ImageDecoder) -> Orientation {
    decoder.orientation().unwrap_or(Orientation::NoTransforms)
}

fn undecodable(path: &Path, error: ImageError) -> DataError {
    match error {
        ImageError::IoError(source) if source.kind() != std::io::ErrorKind::UnexpectedEof => {
            DataError::Read { path: path.to_owned(), source }
        }
        error => DataError::File {
            path: path.to_owned(),
            place: "as an image".to_owned(),
            reason: format!(
                "{error}; it must be a whole PNG, JPEG, GIF, BMP or WebP file, so fetch it again or \
                 take it away"
            ),
        },
    }
}

/// As Pillow rounds it, in fractions of 2¹⁶.
fn grey([red, green, blue]: [u8; 3]) -> u8 {
    let sum = 19_595 * u32::from(red) + 38_470 * u32::from(green) + 7_471 * u32::from(blue);
    ((sum + 0x8000) >> 16) as u8
}

/// Brought to its size, cut, and channel after channel.
fn finish<P: Pixel<Subpixel = u8> + 'static>(
    path: &Path,
    options: &ImageOptions,
    mut image: ImageBuffer<P, Vec<u8>>,
) -> Result<(Vec<u8>, [usize; 2]), DataError> {
    if let Some([height, width]) = options.resize
        && (image.height() as usize, image.width() as usize) != (height, width)
    {
        image = resize(&image, side(width), side(height), FilterType::Triangle);
    }
    if let Some([height, width]) = options.center_crop {
        let (h, w) = (side(height), side(width));
        if h > image.height() || w > image.width() {
            return Err(DataError::File {
                path: path.to_owned(),
                place: "as an image".to_owned(),
                reason: format!(
                    "it has {} × {} pixels, fewer than the {height} × {width} that are to be cut \
                     from its middle; resize it before",
                    image.height(),
                    image.width()
                ),
            });
        }
        // Half of an odd rest is rounded to the even number, as in torchvision.
        let begin = |all: u32, piece: u32| (f64::from(all - piece) / 2.0).round_ties_even() as u32;
        let (top, left) = (begin(image.height(), h), begin(image.width(), w));
        image = crop_imm(&image, left, top, w, h).to_image();
    }
    let size = [image.height() as usize, image.width() as usize];
    let channels = usize::from(P::CHANNEL_COUNT);
    let bytes = image.into_raw();
    let mut planes = Vec::with_capacity(bytes.len());
    for channel in 0..channels {
        planes.extend(bytes.chunks_exact(channels).map(|pixel| pixel[channel]));
    }
    Ok((planes, size))
}

fn side(pixels: usize) -> u32 {
    u32::try_from(pixels).unwrap_or(u32::MAX)
}
