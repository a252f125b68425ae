//! Small charts of text: a line of bars over time, and one bar of a share.

const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One sign for each of at most `width` stretches of the numbers, the highest as high as a line is; nothing is a dot.
pub fn spark(numbers: &[u64], width: usize) -> String {
    let chunk = numbers.len().div_ceil(width.max(1)).max(1);
    let sums: Vec<u64> = numbers.chunks(chunk).map(|chunk| chunk.iter().sum()).collect();
    let top = sums.iter().copied().max().unwrap_or(0).max(1);
    let sign = |sum: u64| match sum {
        0 => '·',
        sum => STEPS[usize::try_from((u128::from(sum) * 8).div_ceil(u128::from(top))).unwrap_or(8).clamp(1, 8) - 1],
    };
    sums.into_iter().map(sign).collect()
}

/// A bar as long as the part is of the whole, at most `width` signs; what is more than nothing has one.
pub fn bar(part: u64, whole: u64, width: usize) -> String {
    let long = (u128::from(part) * width as u128).div_ceil(u128::from(whole.max(1)));
    "█".repeat(usize::try_from(long).unwrap_or(width).min(width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_is_as_wide_as_it_may_be_and_its_highest_is_full() {
        assert_eq!(spark(&[0, 1, 4, 8], 4), "·▁▄█");
        assert_eq!(spark(&[1, 1, 0, 0, 8, 0], 3), "▂·█");
        assert_eq!((spark(&[], 9), spark(&[u64::MAX / 2, 0], 9)), (String::new(), "█·".into()));
        assert_eq!((bar(1, 1000, 10), bar(10, 10, 10), bar(0, 0, 10)), ("█".into(), "█".repeat(10), String::new()));
    }
}
