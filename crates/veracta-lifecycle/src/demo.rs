//! The churn demonstration: a simulated operator's customers, with faults planted for the gate to find.
//!
//! Everything about these customers is made up by a seeded generator. Planted: a column filled in after the fact, a column that
//! stands in for gender, two inputs of pure chance, and contact details inside a column of call notes.

use std::fmt::Write;

use veracta_model::numeric::{below, generator, uniform};

/// The pipeline as given, with every fault.
pub const PIPELINE_AS_GIVEN: &str = include_str!("demo/churn_as_given.yaml");
/// The pipeline after the gate's findings were read: faulty columns dropped, each with a reason, and statements added.
pub const PIPELINE_CORRECTED: &str = include_str!("demo/churn_corrected.yaml");
/// The pipeline for the public Telco file.
pub const PIPELINE_TELCO: &str = include_str!("../../../examples/churn/telco.yaml");
/// Seed that the demonstration gives to [`simulate_customers`]; with [`N_CUSTOMERS`] it fixes every byte of the file.
pub const SEED: u64 = 20_261_123;
/// Customers of the demonstration, one row each.
pub const N_CUSTOMERS: usize = 8000;

/// Returns the simulated customers as CSV. The same seed gives the same bytes.
pub fn simulate_customers(n_customers: usize, seed: u64) -> String {
    let mut csv = String::from(
        "customer_ref,gender,age_band,tenure_months,contract,monthly_charge,support_calls,data_usage_gb,late_payments,\
         satisfaction,loyalty_tier,bill_day,router_colour,retention_call_outcome,agent_notes,churned\n",
    );
    let mut rng = generator(seed, 0);
    for customer in 0..n_customers {
        let mut chance = || uniform(&mut rng);
        let is_female = chance() < 0.5;
        let age = 18.0 + 62.0 * chance();
        let age_band =
            ["18-34", "35-54", "55+"][usize::from(age >= 35.0) + usize::from(age >= 55.0)];
        let tenure = (72.0 * chance().powf(1.4)).floor();
        let contract_draw = chance() + tenure / 240.0;
        let contract = if contract_draw < 0.55 {
            "monthly"
        } else if contract_draw < 0.8 {
            "one year"
        } else {
            "two years"
        };
        let charge = 18.0 + 90.0 * chance();
        let calls = (-2.2 * (1.0 - chance()).ln()).floor().min(12.0);
        let usage = 60.0 * chance().powf(2.0) + 1.0;
        let late = (-1.1 * (1.0 - chance()).ln()).floor().min(8.0);
        let satisfaction = (1.0 + 4.4 * chance() - 0.12 * calls)
            .clamp(1.0, 5.0)
            .round();
        let margin = -1.9 + 1.7 * f64::from(contract == "monthly")
            - 0.9 * f64::from(contract == "two years")
            - 0.04 * tenure
            + 0.024 * (charge - 60.0)
            + 0.38 * calls
            - 0.030 * (usage - 20.0)
            + 0.42 * late
            - 0.55 * (satisfaction - 3.0);
        let churned = chance() < 1.0 / (1.0 + (-margin).exp());
        // Follows gender in nine cases of ten, and moves churn a little through nothing but that.
        let tier = if (chance() < 0.9) == is_female {
            "rose"
        } else {
            "slate"
        };
        // Written down after the customer has left: known only once the label is.
        let outcome = match (churned, chance()) {
            (true, draw) if draw < 0.97 => "lost",
            (false, draw) if draw < 0.02 => "lost",
            _ => "none",
        };
        let satisfaction = if chance() < 0.06 {
            String::new()
        } else {
            satisfaction.to_string()
        };
        let (gender, label) = (
            if is_female { "female" } else { "male" },
            if churned { "yes" } else { "no" },
        );
        let bill_day = 1 + below(&mut rng, 28);
        let colour = ["white", "black", "grey"][below(&mut rng, 3)];
        let notes = call_note(customer, &mut rng);
        writeln!(
            csv,
            "C{:06},{gender},{age_band},{tenure},{contract},{charge:.2},{calls},{usage:.1},{late},{satisfaction},{tier},{bill_day},{colour},{outcome},{notes},{label}",
            (customer as u64 * 7919 + 104_729) % 1_000_000
        )
        .expect("writing to a string cannot fail");
    }
    csv
}

/// Returns what an agent wrote: phrases, and in about one case of forty a made-up way to reach the customer.
fn call_note(customer: usize, rng: &mut rand_chacha::ChaCha8Rng) -> String {
    const OPENINGS: [&str; 8] = [
        "asked about the last invoice",
        "reported slow evenings",
        "wanted to move the contract",
        "no answer",
        "complained about roaming",
        "praised the shop",
        "asked for a new router",
        "needed help with the app",
    ];
    const DETAILS: [&str; 8] = [
        "second time this month",
        "resolved on the phone",
        "sent a technician",
        "will think about it",
        "transferred to billing",
        "left a message",
        "sounded annoyed",
        "was satisfied",
    ];
    let (opening, detail, minutes) = (
        OPENINGS[below(rng, 8)],
        DETAILS[below(rng, 8)],
        1 + below(rng, 55),
    );
    let contact = match below(rng, 80) {
        0 => format!("; write to customer{customer}@example.org"),
        1 => format!(
            "; call back at +1 555 {:03} {:04}",
            below(rng, 1000),
            below(rng, 10_000)
        ),
        _ => String::new(),
    };
    format!("{opening}; {detail}; {minutes} min{contact}")
}
