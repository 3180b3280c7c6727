//! What was measured, as it is told: tables on the terminal, a document, charts, a file of samples.

pub mod chart;
pub mod csv;
pub mod document;
pub mod finding;
pub mod svg;
pub mod table;
pub mod whole;

/// A figure in few characters.
pub fn short(figure: f64) -> String {
    match figure.abs() {
        1e6.. => format!("{:.2} M", figure / 1e6),
        1e3.. => format!("{:.1} k", figure / 1e3),
        // Not measured.
        _ if figure.is_nan() => "-".to_owned(),
        _ => format!("{figure:.2}"),
    }
}

/// Figures of several counts of threads, in few characters: `1.2 / 3.4`.
fn beside(figures: impl IntoIterator<Item = Option<f64>>, show: impl Fn(f64) -> String) -> String {
    let show = |figure: Option<f64>| figure.map_or_else(|| "-".to_owned(), &show);
    let shown: Vec<String> = figures.into_iter().map(show).collect();
    shown.join(" / ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_three_places_or_so() {
        assert_eq!(short(12_345_678.0), "12.35 M");
        assert_eq!(short(1_234.0), "1.2 k");
        assert_eq!(short(0.754), "0.75");
        assert_eq!(short(-2_000.0), "-2.0 k");
        assert_eq!(short(f64::NAN), "-");
        assert_eq!(beside([Some(1.0), None], short), "1.00 / -");
    }
}
