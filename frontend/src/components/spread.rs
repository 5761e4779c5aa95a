//! Values one after the other, among them one that stands out, on the band where it was expected.

use leptos::prelude::*;

use super::plot::round_up;
use crate::format;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub struct Dot {
    /// How much.
    pub value: f64,
    /// When, as it is shown.
    pub when: String,
    /// What it is, in words: `before`, `this value`, `after`.
    pub role: &'static str,
    /// Whether it is the one that stands out.
    pub stands_out: bool,
}

/// Units of the drawing's own; the browser stretches it.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 200.0;

/// The plot. The band is drawn from `low` to `high`, with the mean as a line in it.
#[component]
pub fn Spread(
    /// What it shows, in words.
    #[prop(into)]
    title: String,
    dots: Vec<Dot>,
    mean: f64,
    low: f64,
    high: f64,
) -> impl IntoView {
    let highest = dots.iter().map(|dot| dot.value).fold(high, f64::max);
    let top = round_up(highest);
    let y = move |value: f64| HEIGHT - value.clamp(0.0, top) / top * HEIGHT;
    let ticks = [top, top / 2.0, 0.0].map(|tick| view! { <span>{format::short(tick)}</span> });
    let count = dots.len();
    let points = dots
        .iter()
        .enumerate()
        .map(|(at, dot)| point(place(at, count), y(dot.value), dot))
        .collect_view();
    let first = dots.first().map(|dot| dot.when.clone());
    let last = dots.last().filter(|_| count > 1).map(|dot| dot.when.clone());
    let rows = dots.iter().map(row).collect_view();
    // A band that is thinner than a line would not be seen.
    let (band_top, band_bottom) = (y(high).min(y(low) - 1.0), y(low));
    view! {
        <figure class="plot spread">
            <ul class="legend" aria-hidden="true">
                <li class="dots">"Recorded values"</li>
                <li class="band">"Expected"</li>
                <li class="mean">"Mean"</li>
                <li class="out">"This value"</li>
            </ul>
            <div class="plot-area" aria-hidden="true">
                <div class="plot-ticks">{ticks}</div>
                <div class="plot-field">
                    <svg viewBox=format!("0 0 {WIDTH} {HEIGHT}") preserveAspectRatio="none">
                        {[0.0, HEIGHT / 2.0, HEIGHT].map(|y| view! { <line class="grid" x1="0" x2=WIDTH y1=y y2=y /> })}
                        <rect
                            class="band"
                            x="0"
                            width=WIDTH
                            y=format!("{band_top:.1}")
                            height=format!("{:.1}", band_bottom - band_top)
                        />
                        <line class="mean" x1="0" x2=WIDTH y1=y(mean) y2=y(mean) />
                        {points}
                    </svg>
                </div>
            </div>
            <div class="plot-ends" aria-hidden="true">
                <span>{first}</span>
                <span>{last}</span>
            </div>
            <div class="for-ears">
                <table>
                    <caption>{title}</caption>
                    <thead>
                        <tr>
                            <th scope="col">"When"</th>
                            <th scope="col">"Value"</th>
                            <th scope="col">"Which"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </figure>
    }
}

/// Where a value stands, with room at both ends.
#[expect(clippy::cast_precision_loss, reason = "there are some dozen values")]
const fn place(at: usize, count: usize) -> f64 {
    (at as f64 + 0.5) / count as f64 * WIDTH
}

/// A line of no length with round ends stays a dot, however the drawing is stretched.
fn point(x: f64, y: f64, dot: &Dot) -> impl IntoView + use<> {
    let class = if dot.stands_out { "dot out" } else { "dot" };
    let words = format!("{}, {} ({})", format::short(dot.value), dot.when, dot.role);
    view! {
        <path class=class d=format!("M{x:.1} {y:.1}h0.01")>
            <title>{words}</title>
        </path>
    }
}

fn row(dot: &Dot) -> impl IntoView + use<> {
    view! {
        <tr>
            <th scope="row">{dot.when.clone()}</th>
            <td>{format::short(dot.value)}</td>
            <td>{dot.role}</td>
        </tr>
    }
}
