//! What the palette offers.

use vinzy_client::customers::Customer;
use vinzy_client::licenses::License;
use vinzy_client::products::Product;

use crate::app;
use crate::session::May;
use crate::text::short_id;
use crate::theme::Theme;

/// Something to choose.
#[derive(Clone)]
pub struct Entry {
    /// What it is one of.
    pub group: &'static str,
    /// Its sign.
    pub icon: icondata::Icon,
    /// Its words.
    pub label: String,
    /// What tells it from others.
    pub hint: String,
    /// What choosing it does.
    pub does: Does,
}

/// What choosing does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Does {
    /// Goes to a page, below the root.
    Go(String),
    /// Changes the colors.
    Color(Theme),
    /// Logs out.
    LogOut,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (&self.label, &self.hint, &self.does) == (&other.label, &other.hint, &other.does)
    }
}

impl Entry {
    fn new(group: &'static str, icon: icondata::Icon, label: impl Into<String>, does: Does) -> Self {
        Self {
            group,
            icon,
            label: label.into(),
            hint: String::new(),
            does,
        }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: hint.into(),
            ..self
        }
    }

    /// Whether all the words that were typed stand in it.
    pub fn matches(&self, text: &str) -> bool {
        let own = self.label.to_lowercase();
        text.to_lowercase()
            .split_whitespace()
            .all(|word| own.contains(word))
    }
}

/// The pages that somebody may see.
pub fn pages(may: May) -> Vec<Entry> {
    let go = |(path, name, icon): (&str, &str, icondata::Icon)| {
        Entry::new("Pages", icon, name, Does::Go(path.to_owned()))
    };
    app::destinations(may).into_iter().map(go).collect()
}

/// What somebody may do from anywhere.
pub fn actions(may: May) -> Vec<Entry> {
    let go = |icon, label: &str, path: &str| Entry::new("Actions", icon, label, Does::Go(path.to_owned()));
    let color = |icon, label: &str, theme| Entry::new("Actions", icon, label, Does::Color(theme));
    [
        (
            may.issue,
            go(icondata::LuPlus, "Issue a license", "/licenses/new"),
        ),
        (
            may.verify,
            go(icondata::LuShieldCheck, "Verify the ledger", "/ledger/verify"),
        ),
        (
            may.read,
            go(
                icondata::LuCalendarClock,
                "Show licenses that expire soon",
                "/licenses?expiring=30",
            ),
        ),
        (true, color(icondata::LuMoon, "Use dark colors", Theme::Dark)),
        (true, color(icondata::LuSun, "Use light colors", Theme::Light)),
        (
            true,
            color(icondata::LuSunMoon, "Use this machine's colors", Theme::System),
        ),
        (
            true,
            Entry::new("Actions", icondata::LuLogOut, "Log out", Does::LogOut),
        ),
    ]
    .into_iter()
    .filter(|(may, _)| *may)
    .map(|(_, entry)| entry)
    .collect()
}

/// A license.
pub fn license(license: &License) -> Entry {
    let path = format!("/licenses/{}", license.id);
    let label = format!("{} {}, {}", license.product_code, license.tier, license.status);
    Entry::new("Licenses", icondata::LuKeyRound, label, Does::Go(path)).hint(license.id.clone())
}

/// A customer.
pub fn customer(customer: &Customer) -> Entry {
    let path = format!("/customers/{}", customer.id);
    let label = if customer.erased_at.is_some() {
        format!("Erased customer {}", short_id(&customer.id))
    } else {
        customer.name.clone()
    };
    Entry::new("Customers", icondata::LuUsers, label, Does::Go(path)).hint(customer.email.clone())
}

/// A product.
pub fn product(product: &Product) -> Entry {
    let path = format!("/products?q={}", vinzy_client::call::encoded(&product.code));
    Entry::new(
        "Products",
        icondata::LuPackage,
        product.name.clone(),
        Does::Go(path),
    )
    .hint(product.code.clone())
}

/// An event of the ledger.
pub fn event(position: u64) -> Entry {
    let path = format!("/ledger/{position}");
    let label = format!("Event at position {}", crate::format::count(position));
    Entry::new("Ledger", icondata::LuLink, label, Does::Go(path))
}
