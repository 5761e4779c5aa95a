//! Plots: values over time, as lines or bars, with their limit and what stands out. Those who do not see them get the
//! values as a table.

use leptos::prelude::*;

use crate::format;

/// How values are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Lines; a single one has its area filled.
    Lines,
    /// Bars, those of several series on top of each other.
    Bars,
}

/// Values with a name, one for each label of the plot.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What they are of.
    pub name: String,
    /// The values.
    pub values: Vec<f64>,
}

/// Something that stands out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// At which label.
    pub at: usize,
    /// Why.
    pub why: String,
}

/// Units of the drawing's own; the browser stretches it.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 200.0;

/// A plot.
#[component]
pub fn Plot(
    /// What it shows, in words.
    #[prop(into)]
    title: String,
    /// One for each value: where it stands on the axis.
    labels: Vec<String>,
    series: Vec<Series>,
    shape: Shape,
    /// A line that values should not pass.
    #[prop(optional_no_strip)]
    limit: Option<f64>,
    /// Values of one series that stand out.
    #[prop(optional)]
    marks: Vec<Mark>,
    /// Without axes and without room around it: a shape beside a number.
    #[prop(optional)]
    small: bool,
) -> impl IntoView {
    let scale = Scale::of(&series, shape, limit, labels.len());
    let drawing = drawing(&scale, &series, shape, &marks);
    let limit_line = limit.filter(|limit| *limit <= scale.top).map(|limit| {
        let y = scale.y(limit);
        view! { <line class="limit" x1="0" x2=WIDTH y1=y y2=y /> }
    });
    let limit_words = limit.map(|limit| {
        let place = if limit <= scale.top {
            ""
        } else {
            ", above what is drawn"
        };
        view! { <li class="limit">{format!("Limit {}{place}", format::short(limit))}</li> }
    });
    let names: Vec<_> = series
        .iter()
        .enumerate()
        .map(|(at, one)| view! { <li class=format!("series-{at}")>{one.name.clone()}</li> })
        .collect();
    let has_legend = series.len() > 1 || limit.is_some();
    let ticks = [scale.top, scale.top / 2.0, 0.0].map(|tick| view! { <span>{format::short(tick)}</span> });
    let ends = few(&labels)
        .into_iter()
        .map(|label| view! { <span>{label}</span> })
        .collect_view();
    let table = values(&title, &labels, &series);
    let lens = (!small).then(|| view! { <Lens labels series marks /> });
    view! {
        <figure class="plot" class:small=small>
            {has_legend.then(|| view! { <ul class="legend" aria-hidden="true">{names} {limit_words}</ul> })}
            <div class="plot-area" aria-hidden="true">
                {(!small).then(|| view! { <div class="plot-ticks">{ticks}</div> })}
                <div class="plot-field">
                    <svg viewBox=format!("0 0 {WIDTH} {HEIGHT}") preserveAspectRatio="none">
                        {(!small)
                            .then(|| {
                                [0.0, HEIGHT / 2.0, HEIGHT]
                                    .map(|y| view! { <line class="grid" x1="0" x2=WIDTH y1=y y2=y /> })
                            })}
                        {drawing}
                        {limit_line}
                    </svg>
                    {lens}
                </div>
            </div>
            {(!small).then(|| view! { <div class="plot-ends" aria-hidden="true">{ends}</div> })}
            {table}
        </figure>
    }
}

struct Scale {
    top: f64,
    count: usize,
    shape: Shape,
}

impl Scale {
    fn of(series: &[Series], shape: Shape, limit: Option<f64>, count: usize) -> Self {
        let heights = (0..count).map(|at| {
            let values = series.iter().filter_map(|one| one.values.get(at));
            match shape {
                Shape::Bars => values.sum(),
                Shape::Lines => values.copied().fold(0.0, f64::max),
            }
        });
        let highest = heights.fold(0.0, f64::max);
        // A limit far away would flatten everything else.
        let wanted = match limit {
            Some(limit) if limit <= highest * 4.0 => highest.max(limit),
            _ => highest,
        };
        Self {
            top: round_up(wanted),
            count,
            shape,
        }
    }

    /// The middle of a place on the axis.
    fn x(&self, at: usize) -> f64 {
        let (at, count) = (fraction(at), fraction(self.count));
        match self.shape {
            Shape::Bars => (at + 0.5) / count * WIDTH,
            Shape::Lines if self.count < 2 => WIDTH / 2.0,
            Shape::Lines => at / (count - 1.0) * WIDTH,
        }
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - value / self.top * HEIGHT
    }
}

#[expect(clippy::cast_precision_loss, reason = "a plot has some hundred places")]
const fn fraction(at: usize) -> f64 {
    at as f64
}

/// The next of 1, 2, 2.5 and 5 times a power of ten.
pub fn round_up(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
    let step = steps.into_iter().find(|step| step * power >= value * 0.999_999);
    step.unwrap_or(10.0) * power
}

fn drawing(scale: &Scale, series: &[Series], shape: Shape, marks: &[Mark]) -> AnyView {
    let shapes = match shape {
        Shape::Lines => lines(scale, series),
        Shape::Bars => bars(scale, series),
    };
    // A line of no length with round ends stays a dot, however the drawing is stretched.
    let dots: Vec<_> = marks
        .iter()
        .filter_map(|mark| {
            let value = series.first()?.values.get(mark.at)?;
            let (x, y) = (scale.x(mark.at), scale.y(*value));
            Some(view! { <path class="mark" d=format!("M{x:.1} {y:.1}h0.01") /> })
        })
        .collect();
    view! { <g>{shapes} {dots}</g> }.into_any()
}

fn lines(scale: &Scale, series: &[Series]) -> Vec<AnyView> {
    let mut shapes = vec![];
    for (number, one) in series.iter().enumerate() {
        let points: Vec<String> = one
            .values
            .iter()
            .enumerate()
            .map(|(at, value)| format!("{:.1} {:.1}", scale.x(at), scale.y(*value)))
            .collect();
        if points.is_empty() {
            continue;
        }
        let line = format!("M{}", points.join("L"));
        if series.len() == 1 && points.len() > 1 {
            let area = format!("{line}L{WIDTH} {HEIGHT}L0 {HEIGHT}Z");
            shapes.push(view! { <path class="area series-0" d=area /> }.into_any());
        }
        let line = if points.len() == 1 {
            format!("{line}h0.01")
        } else {
            line
        };
        shapes.push(view! { <path class=format!("line series-{number}") d=line /> }.into_any());
    }
    shapes
}

fn bars(scale: &Scale, series: &[Series]) -> Vec<AnyView> {
    let width = (WIDTH / fraction(scale.count.max(1)) * 0.7).max(1.0);
    let mut shapes = vec![];
    for at in 0..scale.count {
        let mut below = 0.0;
        for (number, one) in series.iter().enumerate() {
            let value = one.values.get(at).copied().unwrap_or(0.0);
            if value <= 0.0 {
                continue;
            }
            let (top, bottom) = (scale.y(below + value), scale.y(below));
            below += value;
            shapes.push(
                view! {
                    <rect
                        class=format!("bar series-{number}")
                        x=format!("{:.1}", scale.x(at) - width / 2.0)
                        y=format!("{top:.1}")
                        width=format!("{width:.1}")
                        height=format!("{:.1}", bottom - top)
                    />
                }
                .into_any(),
            );
        }
    }
    shapes
}

/// The first label, the last, and one or two between them.
fn few(labels: &[String]) -> Vec<String> {
    let last = labels.len().saturating_sub(1);
    let mut places = match labels.len() {
        0 => vec![],
        1..=4 => (0..labels.len()).collect(),
        _ => vec![0, last / 3, last * 2 / 3, last],
    };
    places.dedup();
    places
        .into_iter()
        .filter_map(|at| labels.get(at).cloned())
        .collect()
}

/// The value under the pointer.
#[component]
fn Lens(labels: Vec<String>, series: Vec<Series>, marks: Vec<Mark>) -> impl IntoView {
    let count = labels.len();
    let at = RwSignal::new(None::<usize>);
    let field = NodeRef::<leptos::html::Div>::new();
    let follow = move |event: web_sys::MouseEvent| {
        let Some(field) = field.get_untracked() else {
            return;
        };
        let place = field.get_bounding_client_rect();
        let share = (f64::from(event.client_x()) - place.left()) / place.width();
        at.set(nearest(share, count));
    };
    let shown = move || {
        let at = at.get()?;
        let rows: Vec<_> = series
            .iter()
            .enumerate()
            .map(|(number, one)| {
                let value = format::short(one.values.get(at).copied().unwrap_or(0.0));
                view! { <li class=format!("series-{number}")>{format!("{}: {value}", one.name)}</li> }
            })
            .collect();
        let why: Vec<_> = marks
            .iter()
            .filter(|mark| mark.at == at)
            .map(|mark| view! { <li class="mark">{mark.why.clone()}</li> })
            .collect();
        let share = (fraction(at) + 0.5) / fraction(count) * 100.0;
        let is_right = share > 60.0;
        Some(view! {
            <div class="lens" class:right=is_right style:left=format!("{share:.2}%")>
                <p>{labels.get(at).cloned()}</p>
                <ul>{rows} {why}</ul>
            </div>
        })
    };
    view! {
        <div
            class="lens-field"
            node_ref=field
            on:mousemove=follow
            on:mouseleave=move |_| at.set(None)
        >
            {shown}
        </div>
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and the number of places"
)]
fn nearest(share: f64, count: usize) -> Option<usize> {
    let place = (share.clamp(0.0, 0.999_999) * fraction(count)).floor();
    (count > 0).then_some(place as usize)
}

/// The same for those who do not see it.
fn values(title: &str, labels: &[String], series: &[Series]) -> impl IntoView + use<> {
    let heads: Vec<_> = series
        .iter()
        .map(|one| view! { <th scope="col">{one.name.clone()}</th> })
        .collect();
    let rows: Vec<_> = labels
        .iter()
        .enumerate()
        .map(|(at, label)| {
            let cells: Vec<_> = series
                .iter()
                .map(|one| view! { <td>{format::short(one.values.get(at).copied().unwrap_or(0.0))}</td> })
                .collect();
            view! {
                <tr>
                    <th scope="row">{label.clone()}</th>
                    {cells}
                </tr>
            }
        })
        .collect();
    view! {
        // A table grows with its rows whatever height it is given: only what surrounds it can hide them.
        <div class="for-ears">
            <table class="for-ears">
                <caption>{title.to_owned()}</caption>
                <thead>
                    <tr>
                        <th scope="col">"When"</th>
                        {heads}
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_number() {
        assert!((round_up(0.0) - 1.0).abs() < 1e-9);
        assert!((round_up(7.0) - 10.0).abs() < 1e-9);
        assert!((round_up(1000.0) - 1000.0).abs() < 1e-9);
        assert!((round_up(2100.0) - 2500.0).abs() < 1e-9);
        assert!((round_up(0.03) - 0.05).abs() < 1e-9);
    }

    #[test]
    fn a_limit_far_away_does_not_flatten_the_rest() {
        let series = [Series {
            name: "n".to_owned(),
            values: vec![10.0],
        }];
        let top = |limit| Scale::of(&series, Shape::Lines, Some(limit), 1).top;
        assert!((top(35.0) - 50.0).abs() < 1e-9);
        assert!((top(1000.0) - 10.0).abs() < 1e-9);
    }

    #[test]
    fn the_pointer_finds_the_nearest_place() {
        assert_eq!(nearest(0.0, 10), Some(0));
        assert_eq!(nearest(1.0, 10), Some(9));
        assert_eq!(nearest(0.5, 0), None);
    }
}
