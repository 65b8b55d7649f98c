//! A paper as a PDF, A4, as many pages as it takes.

use std::sync::Arc;

use krilla::Document;
use krilla::color::rgb;
use krilla::geom::{PathBuilder, Point};
use krilla::metadata::Metadata;
use krilla::num::NormalizedF32;
use krilla::page::PageSettings;
use krilla::paint::{Fill, Paint, Stroke};
use krilla::surface::Surface;
use krilla::text::{Font, TextDirection};
use rustybuzz::{Face, UnicodeBuffer};
use thiserror::Error;
use unicode_bidi::BidiInfo;

use super::{Paper, Side};

/// A4 in points.
const WIDTH: f32 = 595.0;
const HEIGHT: f32 = 842.0;
const MARGIN: f32 = 50.0;
const RIGHT: f32 = WIDTH - MARGIN;
const SIZE: f32 = 9.5;
const LEADING: f32 = 14.0;
/// Where the columns of the table begin, but for the last two, which end there.
const COLUMNS: [f32; 4] = [MARGIN, 260.0, 445.0, RIGHT];
/// Red, green and blue.
const INK: [u8; 3] = [28, 30, 33];
const DIM: [u8; 3] = [93, 100, 111];

/// A file that is no font.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("is not a TrueType or OpenType font")]
pub struct NotAFont;

/// A PDF that could not be written.
#[derive(Debug, Error)]
#[error("the PDF could not be written: {0}")]
pub struct PdfError(String);

/// Fonts to write with. The first that has every sign of a text writes it.
#[derive(Clone)]
pub struct Fonts {
    regular: Vec<Typeface>,
    bold: Typeface,
}

/// A font, and how wide its texts are. Read once: a paper measures each of its words.
#[derive(Clone)]
struct Typeface {
    font: Font,
    face: Face<'static>,
}

impl Typeface {
    fn new(data: &'static [u8]) -> Result<Self, NotAFont> {
        let face = Face::from_slice(data, 0).ok_or(NotAFont)?;
        let font = Font::new(Arc::new(data.to_vec()).into(), 0).ok_or(NotAFont)?;
        Ok(Self { font, face })
    }

    fn has(&self, text: &str) -> bool {
        text.chars().all(|sign| sign.is_whitespace() || self.face.glyph_index(sign).is_some())
    }

    fn width(&self, text: &str, size: f32) -> f32 {
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        let shaped = rustybuzz::shape(&self.face, &[], buffer);
        let units: i32 = shaped.glyph_positions().iter().map(|glyph| glyph.x_advance).sum();
        units as f32 / self.face.units_per_em() as f32 * size
    }
}

impl Fonts {
    /// DejaVu Sans, which has Latin, Greek, Cyrillic, Arabic, Hebrew, Armenian and Georgian letters, and behind it `more`, each
    /// the bytes of a font file, for what it does not have. They stay in memory until the process ends.
    ///
    /// # Errors
    /// When one of `more` is no font; its place is told.
    pub fn with(more: Vec<Vec<u8>>) -> Result<Self, (usize, NotAFont)> {
        let own = |data| Typeface::new(data).map_err(|error| (0, error));
        let mut regular = vec![own(dejavu::sans::regular())?];
        for (index, data) in more.into_iter().enumerate() {
            regular.push(Typeface::new(data.leak()).map_err(|error| (index, error))?);
        }
        Ok(Self { regular, bold: own(dejavu::sans::bold())? })
    }

    fn of(&self, text: &str, is_bold: bool) -> &Typeface {
        if is_bold && self.bold.has(text) {
            return &self.bold;
        }
        self.regular.iter().find(|typeface| typeface.has(text)).unwrap_or(&self.regular[0])
    }

    fn width(&self, text: &str, is_bold: bool, size: f32) -> f32 {
        runs(text).into_iter().map(|(run, _)| self.of(run, is_bold).width(run, size)).sum()
    }
}

/// The PDF's bytes.
///
/// # Errors
/// When a font cannot be embedded.
pub fn document(paper: &Paper, fonts: &Fonts) -> Result<Vec<u8>, PdfError> {
    let mut document = Document::new();
    document.set_metadata(
        Metadata::new().title(format!("{} {}", paper.title, paper.number)).language("en".to_owned()),
    );
    let sheets = lay_out(paper, fonts);
    let count = sheets.len();
    for (index, marks) in sheets.into_iter().enumerate() {
        let settings = PageSettings::from_wh(WIDTH, HEIGHT).ok_or_else(|| PdfError("no page".to_owned()))?;
        let mut page = document.start_page_with(settings);
        let mut surface = page.surface();
        for mark in &marks {
            mark.draw(&mut surface, fonts);
        }
        if count > 1 {
            let text = format!("{} · {} of {count}", paper.number, index + 1);
            Mark::text(text, RIGHT, HEIGHT - 30.0).end().dim().draw(&mut surface, fonts);
        }
        surface.finish();
        page.finish();
    }
    document.finish().map_err(|error| PdfError(format!("{error:?}")))
}

/// Something to be drawn.
#[derive(Debug, Clone, PartialEq)]
enum Mark {
    Text { text: String, x: f32, y: f32, size: f32, is_bold: bool, ends: bool, color: [u8; 3] },
    Rule { y: f32 },
}

impl Mark {
    /// A text whose base line begins at `x`, `y`.
    fn text(text: impl Into<String>, x: f32, y: f32) -> Self {
        Self::Text { text: text.into(), x, y, size: SIZE, is_bold: false, ends: false, color: INK }
    }

    /// It ends at its `x` instead.
    fn end(mut self) -> Self {
        if let Self::Text { ends, .. } = &mut self {
            *ends = true;
        }
        self
    }

    fn bold(mut self) -> Self {
        if let Self::Text { is_bold, .. } = &mut self {
            *is_bold = true;
        }
        self
    }

    fn dim(mut self) -> Self {
        if let Self::Text { color, .. } = &mut self {
            *color = DIM;
        }
        self
    }

    fn sized(mut self, points: f32) -> Self {
        if let Self::Text { size, .. } = &mut self {
            *size = points;
        }
        self
    }

    fn draw(&self, surface: &mut Surface<'_>, fonts: &Fonts) {
        match self {
            Self::Text { text, x, y, size, is_bold, ends, color } => {
                surface.set_stroke(None);
                surface.set_fill(Some(Fill {
                    paint: paint(*color),
                    opacity: NormalizedF32::ONE,
                    ..Fill::default()
                }));
                let mut x = if *ends { x - fonts.width(text, *is_bold, *size) } else { *x };
                for (run, direction) in runs(text) {
                    let typeface = fonts.of(run, *is_bold);
                    surface.draw_text(
                        Point::from_xy(x, *y),
                        typeface.font.clone(),
                        *size,
                        run,
                        false,
                        direction,
                    );
                    x += typeface.width(run, *size);
                }
            }
            Self::Rule { y } => {
                let mut line = PathBuilder::new();
                line.move_to(MARGIN, *y);
                line.line_to(RIGHT, *y);
                surface.set_fill(None);
                surface.set_stroke(Some(Stroke { paint: paint(DIM), width: 0.5, ..Stroke::default() }));
                if let Some(path) = line.finish() {
                    surface.draw_path(&path);
                }
            }
        }
    }
}

fn paint([red, green, blue]: [u8; 3]) -> Paint {
    rgb::Color::new(red, green, blue).into()
}

/// A line in pieces that run one way, from left to right as they are seen.
fn runs(text: &str) -> Vec<(&str, TextDirection)> {
    let bidi = BidiInfo::new(text, None);
    let Some(paragraph) = bidi.paragraphs.first() else { return vec![] };
    let (levels, runs) = bidi.visual_runs(paragraph, paragraph.range.clone());
    let run = |range: std::ops::Range<usize>| {
        let is_rtl = levels[range.start].is_rtl();
        (&text[range], if is_rtl { TextDirection::RightToLeft } else { TextDirection::LeftToRight })
    };
    runs.into_iter().map(run).collect()
}

/// Where everything stands, sheet by sheet.
fn lay_out(paper: &Paper, fonts: &Fonts) -> Vec<Vec<Mark>> {
    let mut pen = Pen { sheets: vec![vec![]], y: MARGIN + 22.0 };
    let top = pen.y;
    pen.put(Mark::text(paper.title, MARGIN, top).bold().sized(20.0));
    pen.put(Mark::text(&paper.number, MARGIN, top + 18.0).dim());
    if let Some(stamp) = paper.stamp {
        pen.put(Mark::text(stamp, MARGIN, top + 36.0).bold().sized(12.0));
    }
    for (row, (name, value)) in paper.facts.iter().enumerate() {
        let y = top + row as f32 * LEADING;
        pen.put(Mark::text(*name, 330.0, y).dim());
        pen.put(Mark::text(value, RIGHT, y).end());
    }
    pen.y = top + 76.0;
    let below = [pen.side("From", &paper.seller, MARGIN, fonts), pen.side("To", &paper.buyer, 310.0, fonts)];
    pen.y = below[0].max(below[1]) + 24.0;
    pen.heads();
    for row in &paper.rows {
        let lines = wrapped(&row.text, COLUMNS[1] - COLUMNS[0] - 10.0, fonts);
        if pen.needs(lines.len() as f32 * LEADING) {
            pen.heads();
        }
        pen.put(Mark::text(&row.period, COLUMNS[1], pen.y));
        pen.put(Mark::text(&row.quantity, COLUMNS[2], pen.y).end());
        pen.put(Mark::text(&row.amount, COLUMNS[3], pen.y).end());
        pen.lines(lines, MARGIN);
        pen.y += 3.0;
    }
    pen.needs(paper.sums.len() as f32 * LEADING + 16.0);
    pen.put(Mark::Rule { y: pen.y - 8.0 });
    pen.y += 6.0;
    for (index, (name, amount)) in paper.sums.iter().enumerate() {
        let is_last = index + 1 == paper.sums.len();
        let style = |mark: Mark| if is_last { mark.bold().sized(11.0) } else { mark };
        pen.put(style(Mark::text(name, COLUMNS[2], pen.y).end()));
        pen.put(style(Mark::text(amount, COLUMNS[3], pen.y).end()));
        pen.y += LEADING + if is_last { 4.0 } else { 0.0 };
    }
    pen.y += 20.0;
    for note in &paper.notes {
        pen.lines(wrapped(note, RIGHT - MARGIN, fonts), MARGIN);
    }
    pen.sheets
}

/// Writes from top to bottom and turns the page.
struct Pen {
    sheets: Vec<Vec<Mark>>,
    y: f32,
}

impl Pen {
    fn put(&mut self, mark: Mark) {
        if let Some(sheet) = self.sheets.last_mut() {
            sheet.push(mark);
        }
    }

    /// Turns the page unless so much fits; whether it did.
    fn needs(&mut self, room: f32) -> bool {
        let is_full = self.y + room > HEIGHT - MARGIN - 10.0;
        if is_full {
            self.sheets.push(vec![]);
            self.y = MARGIN + 10.0;
        }
        is_full
    }

    fn lines(&mut self, lines: Vec<String>, x: f32) {
        for line in lines {
            self.needs(LEADING);
            self.put(Mark::text(line, x, self.y));
            self.y += LEADING;
        }
    }

    /// The head of the table.
    fn heads(&mut self) {
        let [text, period, quantity, amount] = COLUMNS;
        self.put(Mark::text("For", text, self.y).dim());
        self.put(Mark::text("Period", period, self.y).dim());
        self.put(Mark::text("Messages", quantity, self.y).end().dim());
        self.put(Mark::text("Amount", amount, self.y).end().dim());
        self.put(Mark::Rule { y: self.y + 5.0 });
        self.y += LEADING + 6.0;
    }

    /// One side from here down; where it ends.
    fn side(&mut self, name: &'static str, side: &Side, x: f32, fonts: &Fonts) -> f32 {
        let mut y = self.y;
        self.put(Mark::text(name, x, y).dim());
        let width = 225.0;
        y += LEADING;
        for line in wrapped(&side.name, width, fonts) {
            self.put(Mark::text(line, x, y).bold());
            y += LEADING;
        }
        for line in side.lines.iter().flat_map(|line| wrapped(line, width, fonts)) {
            self.put(Mark::text(line, x, y));
            y += LEADING;
        }
        y
    }
}

/// Lines of at most `width`; a word that is longer is cut.
fn wrapped(text: &str, width: f32, fonts: &Fonts) -> Vec<String> {
    let mut lines = vec![];
    let mut line = String::new();
    let fits = |text: &str| fonts.width(text, false, SIZE) <= width;
    for word in text.split_whitespace() {
        let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if fits(&longer) {
            line = longer;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for sign in word.chars() {
            line.push(sign);
            if !fits(&line) {
                line.pop();
                lines.push(std::mem::replace(&mut line, sign.to_string()));
            }
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}
