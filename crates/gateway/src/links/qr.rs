//! An address as a QR code: black on white whatever the page around it, with the quiet border that scanners need.

use fast_qr::convert::Builder as _;
use fast_qr::convert::svg::SvgBuilder;
use fast_qr::qr::QRCode;
use fast_qr::{ECL, QRBuilder};

/// White modules around the code (ISO/IEC 18004).
const MARGIN: usize = 4;
/// Pixels of a module in the picture: 300 to 400 in all for our addresses, enough for print and screen.
const PIXELS: usize = 8;

/// `None` for an address that is too long for one.
fn code(address: &str) -> Option<QRCode> {
    QRBuilder::new(address).ecl(ECL::M).build().ok()
}

/// As SVG.
pub fn svg(address: &str) -> Option<String> {
    Some(SvgBuilder::default().margin(MARGIN).to_str(&code(address)?))
}

/// As PNG, one bit per pixel.
pub fn png(address: &str) -> Option<Vec<u8>> {
    let code = code(address)?;
    let side = (code.size + 2 * MARGIN) * PIXELS;
    let is_dark = |x: usize, y: usize| {
        let (column, line) = ((x / PIXELS).checked_sub(MARGIN), (y / PIXELS).checked_sub(MARGIN));
        let inside = column.zip(line).filter(|(column, line)| *column < code.size && *line < code.size);
        inside.is_some_and(|(column, line)| code[line][column].value())
    };
    let mut bits = vec![0u8; side.div_ceil(8) * side];
    for y in 0..side {
        for x in 0..side {
            if !is_dark(x, y) {
                bits[y * side.div_ceil(8) + x / 8] |= 0x80 >> (x % 8);
            }
        }
    }
    let mut file = Vec::new();
    let size = u32::try_from(side).ok()?;
    let mut encoder = png::Encoder::new(&mut file, size, size);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(&bits).ok()?;
    writer.finish().ok()?;
    Some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_shows_the_code_within_its_border() {
        let address = "https://gateway.example/checkout/abcdefghijklmnopqrstuvwxyz012345";
        let code = code(address).unwrap();
        let file = png(address).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(&file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut pixels).unwrap();
        let side = (code.size + 2 * MARGIN) * PIXELS;
        assert_eq!((frame.width as usize, frame.bit_depth), (side, png::BitDepth::One));
        let is_dark = |x: usize, y: usize| pixels[y * frame.line_size + x / 8] & (0x80 >> (x % 8)) == 0;
        for line in 0..code.size + 2 * MARGIN {
            for column in 0..code.size + 2 * MARGIN {
                let inside =
                    (MARGIN..MARGIN + code.size).contains(&line) && (MARGIN..MARGIN + code.size).contains(&column);
                let expected = inside && code[line - MARGIN][column - MARGIN].value();
                assert_eq!(is_dark(column * PIXELS + PIXELS / 2, line * PIXELS), expected, "{line} {column}");
            }
        }
        assert!(svg(address).unwrap().starts_with("<svg"));
        assert_eq!(png(&"x".repeat(5000)), None);
    }
}
