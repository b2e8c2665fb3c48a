/// Cents, rounded half up.
pub fn cents(amount: f64) -> i64 {
    (amount * 100.0) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole() {
        assert_eq!(cents(3.0), 300);
    }

    #[test]
    fn half_up() {
        assert_eq!(cents(0.125), 13);
    }
}
