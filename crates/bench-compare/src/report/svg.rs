//! A chart as an SVG file: bars that lie, so that names can be read, on a logarithmic axis, with
//! the extremes of the rounds as whiskers; skep stands out; below, where the figures come from.

use std::io;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use skep_measure::figures::Summary;
use skep_measure::origin::Origin;

use super::chart::{Chart, is_shown};
use super::{short, whole};
use crate::peers::SKEP;

const WIDTH: u32 = 960;
/// Above the bars: the title and what colours mean.
const TOP: u32 = 72;
/// Below them: the axis, and lines about the origin.
const AXIS: u32 = 52;
const BOTTOM: u32 = 96;
/// Left of them: the stores' names.
const LEFT: u32 = 190;
const RIGHT: u32 = 24;
/// A bar, and what lies between two stores.
const BAR: u32 = 16;
const GAP: u32 = 10;
/// Letters of a line about the origin; what is longer goes on in the next.
const LINE_LETTERS: usize = 130;
/// Skep's colour, and everybody else's.
const OWN: RGBColor = RGBColor(200, 80, 0);
const OTHER: RGBColor = RGBColor(70, 110, 160);
/// How a bar is to be read.
const WHISKERS: &str = "bar: the median of the rounds; line: from the least to the most of them";
/// The axis goes on so many times beyond the longest bar, for what is written there.
const BEYOND: f64 = 3.0;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<io::Error>>;

/// The file of a workload's chart.
pub fn file_name(letter: char) -> String {
    format!("{letter}.svg")
}

/// Writes a chart into a folder.
pub fn write(folder: &Path, letter: char, chart: &Chart, origin: &Origin) -> io::Result<()> {
    let text = text(chart, origin).map_err(io::Error::other)?;
    whole::replace(&folder.join(file_name(letter)), &text)
}

fn text(chart: &Chart, origin: &Origin) -> Result<String, DrawingAreaErrorKind<io::Error>> {
    let rows = chart.stores.len() as u32;
    let row = chart.series.len() as u32 * BAR + GAP;
    let height = TOP + rows * row + AXIS + BOTTOM;
    let mut text = String::new();
    let root = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    head(&root, chart)?;
    bars(&root, chart)?;
    foot(&root, origin, height)?;
    root.present()?;
    drop(root);
    Ok(text)
}

fn font(size: u32, bold: bool) -> TextStyle<'static> {
    let style = if bold {
        FontStyle::Bold
    } else {
        FontStyle::Normal
    };
    ("sans-serif", size).into_font().style(style).color(&BLACK)
}

/// A colour of the series at a position: the later, the darker.
fn colour(base: RGBColor, at: usize, of: usize) -> RGBColor {
    let share = (at + 1) as f64 / of.max(1) as f64;
    let mix = |part: u8| (255.0 - (255.0 - f64::from(part)) * share.sqrt()) as u8;
    RGBColor(mix(base.0), mix(base.1), mix(base.2))
}

/// The title, and what colours mean.
fn head(root: &Area<'_>, chart: &Chart) -> Drawn {
    root.draw(&Text::new(chart.title.clone(), (16, 12), font(22, true)))?;
    let mut x = LEFT as i32;
    for (at, series) in chart.series.iter().enumerate() {
        for (square, base) in [OWN, OTHER].into_iter().enumerate() {
            let left = x + square as i32 * 14;
            let style = colour(base, at, chart.series.len()).filled();
            root.draw(&Rectangle::new([(left, 44), (left + 12, 56)], style))?;
        }
        root.draw(&Text::new(series.clone(), (x + 34, 42), font(15, false)))?;
        x += 60 + 9 * series.len() as i32;
    }
    Ok(())
}

/// From the power of ten below what is shown to beyond it.
fn axis((least, most): (f64, f64)) -> (f64, f64) {
    let from = 10_f64.powf((least * 0.9).log10().floor());
    (from, most * BEYOND)
}

fn bars(root: &Area<'_>, chart: &Chart) -> Drawn {
    let plot = root.margin(TOP, BOTTOM, LEFT, RIGHT);
    let (from, to) = axis(chart.extremes());
    let rows = chart.stores.len() as f64;
    let mut context = ChartBuilder::on(&plot)
        .x_label_area_size(AXIS)
        .build_cartesian_2d((from..to).log_scale(), 0.0..rows)?;
    let mut mesh = context.configure_mesh();
    mesh.disable_y_mesh()
        .disable_y_axis()
        .light_line_style(WHITE);
    mesh.x_desc(format!("{} (logarithmic)", chart.unit));
    mesh.x_label_style(font(14, false))
        .axis_desc_style(font(15, false));
    mesh.x_label_formatter(&|figure| short(*figure)).draw()?;
    let row = chart.series.len() as u32 * BAR + GAP;
    let (share, gap) = (
        f64::from(BAR) / f64::from(row),
        f64::from(GAP) / f64::from(row),
    );
    for (line, (store, figures)) in chart.stores.iter().enumerate() {
        let top = rows - line as f64 - gap / 2.0;
        let base = if store == SKEP { OWN } else { OTHER };
        for (at, figure) in figures.iter().enumerate() {
            let Some(figure) = figure.filter(|it| is_shown(*it)) else {
                continue;
            };
            let (upper, lower) = (top - at as f64 * share, top - (at + 1) as f64 * share);
            let style = colour(base, at, figures.len()).filled();
            let corners = [(from, lower), (figure.median, upper)];
            context.draw_series([Rectangle::new(corners, style)])?;
            let middle = f64::midpoint(upper, lower);
            context.draw_series(whisker(figure, middle, share / 4.0))?;
            let (x, y) = context.backend_coord(&(figure.most, middle));
            written(
                root,
                &short(figure.median),
                (x + 6, y),
                HPos::Left,
                font(13, false),
            )?;
        }
        let middle = top - figures.len() as f64 * share / 2.0;
        let (x, y) = context.backend_coord(&(from, middle));
        written(
            root,
            store,
            (x - 8, y),
            HPos::Right,
            font(15, store == SKEP),
        )?;
    }
    Ok(())
}

/// From the least to the most, with an end at each.
fn whisker(figure: Summary, y: f64, half: f64) -> [PathElement<(f64, f64)>; 3] {
    let line = |from, to| PathElement::new(vec![from, to], BLACK.stroke_width(1));
    let end = |x| line((x, y - half), (x, y + half));
    let (least, most) = (figure.least, figure.most);
    [line((least, y), (most, y)), end(least), end(most)]
}

fn written(root: &Area<'_>, text: &str, at: (i32, i32), side: HPos, font: TextStyle<'_>) -> Drawn {
    let style = font.pos(Pos::new(side, VPos::Center));
    root.draw(&Text::new(text, at, style))
}

/// How bars are to be read, and where the figures come from.
fn foot(root: &Area<'_>, origin: &Origin, height: u32) -> Drawn {
    let about = format!(
        "{}; {}; load before it {}",
        origin.machine, origin.date, origin.load
    );
    let texts = [WHISKERS, &about, &origin.command];
    let lines = texts.into_iter().flat_map(wrapped);
    let mut y = height as i32 - BOTTOM as i32 + 12;
    for line in lines {
        root.draw(&Text::new(line, (16, y), font(13, false)))?;
        y += 15;
    }
    Ok(())
}

/// Lines of a text, broken between words.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("there is one at least");
        if !last.is_empty() && last.len() + 1 + word.len() > LINE_LETTERS {
            lines.push(word.to_owned());
        } else {
            let space = if last.is_empty() { "" } else { " " };
            *last += &format!("{space}{word}");
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart() -> Chart {
        let bar = |median: f64| Summary::of([median * 0.5, median, median * 2.0]);
        Chart {
            title: "a: reads & <others>".to_owned(),
            unit: "reads/s".to_owned(),
            series: vec!["1 thread".to_owned(), "2 threads".to_owned()],
            stores: vec![
                ("RwLock<BTreeMap>".to_owned(), vec![bar(2e6), None]),
                (SKEP.to_owned(), vec![bar(1e6), bar(1.5e6)]),
            ],
        }
    }

    fn origin() -> Origin {
        Origin {
            machine: "Some Processor, 2 cores".to_owned(),
            date: "2020-01-01T00:00:00Z".to_owned(),
            load: "0.01".to_owned(),
            command: "bench-compare --peers 'a<b'".to_owned(),
        }
    }

    #[test]
    fn names_are_escaped_and_everything_is_said() {
        let text = text(&chart(), &origin()).expect("it can be drawn");
        for part in [
            "RwLock&lt;BTreeMap&gt;",
            "a: reads &amp; &lt;others&gt;",
            "reads/s (logarithmic)",
            "2 threads",
            "Some Processor, 2 cores",
            "2020-01-01T00:00:00Z",
            "bench-compare --peers",
            "1.50 M",
        ] {
            assert!(text.contains(part), "no {part} in {text}");
        }
        assert!(!text.contains("RwLock<"), "{text}");
    }

    #[test]
    fn there_is_a_bar_for_each_figure_and_a_whisker_with_ends() {
        let text = text(&chart(), &origin()).expect("it can be drawn");
        let own = colour(OWN, 1, 2);
        let hex = format!("#{:02X}{:02X}{:02X}", own.0, own.1, own.2);
        // In the legend, and the second bar of skep.
        assert_eq!(text.matches(&hex).count(), 2, "{hex} in {text}");
        let three_bars = 3 * 3;
        assert!(text.matches("<polyline").count() >= three_bars, "{text}");
    }

    #[test]
    fn the_axis_holds_everything() {
        for (least, most) in [(1.0, 1.0), (0.03, 5e7), (999.0, 1_001.0), (1000.0, 1e9)] {
            let (from, to) = axis((least, most));
            assert!(from > 0.0 && from < least && to > most, "{least} {most}");
        }
    }

    #[test]
    fn long_lines_are_broken_between_words() {
        let words = vec!["word"; 60].join(" ");
        let lines = wrapped(&words);
        assert!(lines.len() > 1 && lines.iter().all(|it| it.len() <= LINE_LETTERS));
        assert_eq!(lines.join(" "), words);
    }
}
