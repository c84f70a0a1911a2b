/**
 * Runs a task for each item, so many at a time. The first error stops all lanes, each
 * after its own task.
 */
export async function inLanes<T>(
  lanes: number,
  items: Iterable<T>,
  task: (item: T) => Promise<void>,
): Promise<void> {
  // All lanes share one iterator: each takes the next item when it is free.
  const queue = Iterator.from(items);
  let isBroken = false;
  const work = async () => {
    for (const item of queue) {
      if (isBroken) return;
      try {
        await task(item);
      } catch (error) {
        isBroken = true;
        throw error;
      }
    }
  };
  const results = await Promise.allSettled(
    Array.from({ length: lanes }, () => work()),
  );
  const failed = results.find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") throw failed.reason;
}
