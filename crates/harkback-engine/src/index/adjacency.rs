//! Lists of lists in two flat arrays (compressed sparse rows): neighbours of a node without a pointer each.

/// `rows()[i]` is a slice; rows are numbered from 0.
#[derive(Debug)]
pub(crate) struct Rows<T> {
    starts: Vec<u32>,
    items: Vec<T>,
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self { starts: vec![0], items: Vec::new() }
    }
}

impl<T: Copy> Rows<T> {
    /// Adds the next row.
    pub(crate) fn push(&mut self, row: impl IntoIterator<Item = T>) {
        self.items.extend(row);
        self.starts.push(self.items.len() as u32);
    }

    /// Row `number`; empty if there is none.
    pub(crate) fn row(&self, number: u32) -> &[T] {
        &self.items[self.range(number)]
    }

    /// Where the items of row `number` stand among all items.
    pub(crate) fn range(&self, number: u32) -> std::ops::Range<usize> {
        let number = number as usize;
        match self.starts.get(number + 1) {
            Some(end) => self.starts[number] as usize..*end as usize,
            None => 0..0,
        }
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// How many items all rows have.
    pub(crate) fn n_items(&self) -> usize {
        self.items.len()
    }

    /// Bytes held.
    pub(crate) fn n_bytes(&self) -> usize {
        self.starts.len() * 4 + self.items.len() * size_of::<T>()
    }

    /// The other direction: row `target(item)` of the result lists `(row, item)` in order of rows.
    pub(crate) fn invert<U: Copy + Default>(
        &self,
        n_targets: usize,
        target: impl Fn(T) -> u32,
        make: impl Fn(u32, T) -> U,
    ) -> Rows<U> {
        let mut starts = vec![0u32; n_targets + 1];
        for item in &self.items {
            starts[target(*item) as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut items = vec![U::default(); self.items.len()];
        for row in 0..self.len() as u32 {
            for item in self.row(row) {
                let at = &mut next[target(*item) as usize];
                items[*at as usize] = make(row, *item);
                *at += 1;
            }
        }
        Rows { starts, items }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_their_inverse() {
        let mut rows = Rows::default();
        rows.push([2u32, 0]);
        rows.push([]);
        rows.push([2]);
        assert_eq!(
            (rows.len(), rows.row(0), rows.row(1), rows.row(2), rows.row(9)),
            (3, &[2, 0][..], &[][..], &[2][..], &[][..])
        );
        let inverse = rows.invert(3, |it| it, |row, _| row);
        assert_eq!(
            (inverse.row(0), inverse.row(1), inverse.row(2)),
            (&[0u32][..], &[][..], &[0, 2][..])
        );
    }
}
