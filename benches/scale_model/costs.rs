//! What things cost, each figure with where it comes from.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The figures that come with the program.
const DEFAULTS: &str = include_str!("costs.json");

/// A figure and where it comes from.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Figure {
    pub(crate) value: f64,
    pub(crate) source: String,
}

/// All figures by name. Which there are is what the defaults say.
#[derive(Debug, Clone)]
pub(crate) struct Costs(BTreeMap<String, Figure>);

impl Default for Costs {
    fn default() -> Self {
        Self(serde_json::from_str(DEFAULTS).expect("the figures are checked by a test"))
    }
}

impl Costs {
    /// These with others in their places.
    pub(crate) fn with(mut self, text: &str) -> Result<Self, String> {
        let others: BTreeMap<String, Figure> =
            serde_json::from_str(text).map_err(|error| format!("the figures cannot be read: {error}"))?;
        for (name, figure) in others {
            self.set(&name, figure.value, &figure.source)?;
        }
        Ok(self)
    }

    /// Another value, positive and finite, for a figure that there is.
    pub(crate) fn set(&mut self, name: &str, value: f64, source: &str) -> Result<(), String> {
        let Some(figure) = self.0.get_mut(name) else {
            let names: Vec<&str> = self.0.keys().map(String::as_str).collect();
            return Err(format!(
                "there is no figure {name}; there are {}",
                names.join(", ")
            ));
        };
        if !value.is_finite() || value <= 0.0 {
            return Err(format!("{name} is {value}: it must be more than 0"));
        }
        *figure = Figure {
            value,
            source: source.to_owned(),
        };
        Ok(())
    }

    /// A figure by name.
    pub(crate) fn get(&self, name: &str) -> f64 {
        self.0
            .get(name)
            .unwrap_or_else(|| panic!("{name} is not among the figures"))
            .value
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Figure)> {
        self.0.iter().map(|(name, figure)| (name.as_str(), figure))
    }
}
