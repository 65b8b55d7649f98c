//! A pairing code as a picture of characters: two modules a character, one above the other.

use console::Style;
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

use super::exit::{Exit, Failure};

/// Which way round a terminal shows characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paper {
    /// Black and white are said with every character: right on any terminal that has colours.
    Painted,
    /// Bright characters on a dark ground: light modules are drawn.
    Dark,
    /// Dark characters on a bright ground: dark modules are drawn.
    Light,
}

/// The picture, a line a string. The lowest level of error correction keeps it small: nothing covers a screen.
pub fn picture(code: &str, paper: Paper) -> Result<Vec<String>, Failure> {
    let drawn = QrCode::with_error_correction_level(code, EcLevel::L).map_err(|error| {
        Failure::new(Exit::Software, "software", format!("the code does not fit into a picture: {error}"))
            .next("show it with --json, or pair with --phone")
    })?;
    let (dark, light) = match paper {
        Paper::Painted | Paper::Dark => (Dense1x2::Light, Dense1x2::Dark),
        Paper::Light => (Dense1x2::Dark, Dense1x2::Light),
    };
    let text = drawn.render().dark_color(dark).light_color(light).quiet_zone(true).build();
    let style = Style::new().color256(231).on_color256(16).force_styling(true);
    let paint = |line: &str| match paper {
        Paper::Painted => style.apply_to(line).to_string(),
        Paper::Dark | Paper::Light => line.to_owned(),
    };
    Ok(text.lines().map(paint).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a phone's camera would make of the picture.
    fn scanned(lines: &[String], ink_is_dark: bool) -> String {
        let rows: Vec<Vec<bool>> = lines
            .iter()
            .flat_map(|line| {
                let halves = |c: char| match c {
                    ' ' => (false, false),
                    '▀' => (true, false),
                    '▄' => (false, true),
                    '█' => (true, true),
                    other => panic!("{other:?} in a picture"),
                };
                let (upper, lower) = console::strip_ansi_codes(line).chars().map(halves).unzip();
                [upper, lower]
            })
            .collect();
        const PIXELS: usize = 4;
        let dark = |x: usize, y: usize| rows[y / PIXELS][x / PIXELS] == ink_is_dark;
        let (width, height) = (rows[0].len() * PIXELS, rows.len() * PIXELS);
        let mut image =
            rqrr::PreparedImage::prepare_from_greyscale(
                width,
                height,
                |x, y| {
                    if dark(x, y) { 0 } else { 255 }
                },
            );
        let grids = image.detect_grids();
        grids[0].decode().expect("it can be read").1
    }

    #[test]
    fn a_camera_reads_the_code_from_every_kind_of_paper() {
        let code = format!("2@{0},{0},{0},{0}", "Q2+/".repeat(11));
        for (paper, ink_is_dark) in [(Paper::Painted, false), (Paper::Dark, false), (Paper::Light, true)] {
            let lines = picture(&code, paper).expect("it fits");
            assert_eq!(scanned(&lines, ink_is_dark), code, "{paper:?}");
        }
    }
}
