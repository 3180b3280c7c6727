package main

import "sync/atomic"

// Workloads: what is measured, by the names that the line server is asked for.

// A workload is made ready for a cluster of so many services; its operation gets the thread's
// number  and the time, of which none comes twice.
type workload struct {
	name     string
	services uint64
	threads  uint64
	// What an operation counts for.
	parts   uint64
	prepare func(*cluster) operation
}

type operation func(thread, time uint64) error

const (
	usualServices = 100
	batchChanges  = 10_000
	models        = 1024
)

func workloads() []workload {
	all := []workload{
		{"view_get", usualServices, 1, 1, viewGet},
		{"view_get_bare", usualServices, 1, 1, viewGetBare},
		{"view_get_2", usualServices, 2, 1, viewGet},
		{"node_20", usualServices, 1, 1, findNode},
		{"slot", usualServices, 1, 1, findSlot},
		{"all", usualServices, 1, 1, findAll},
		{"all_bare", usualServices, 1, 1, findAllBare},
		{"update_status", usualServices, 1, 1, updateOwn},
		{"update_status_2", usualServices, 2, 1, updateOwn},
		{"transaction_of_200", usualServices, 1, changesMax, updateMany},
		{"batch_of_10000", usualServices, 1, batchChanges, batchMany},
		{"create_delete", usualServices, 1, 1, createDelete},
		{"save", usualServices, 1, 1, findAll},
		{"restore_empty", usualServices, 1, 1, restoreEmpty},
		{"restore_same", usualServices, 1, 1, restoreSame},
	}
	for _, results := range []uint64{1_000, 100, 10} {
		name := "service_" + taskState(results).decimal()
		services := tasks / results
		all = append(all,
			workload{name, services, 1, 1, findService},
			workload{name + "_bare", services, 1, 1, findServiceBare})
	}
	return all
}

// pick is a number of a task that a processor cannot guess.
func pick(thread, time uint64) uint64 {
	mixed := (time ^ thread<<40) * 0xd134_2543_de82_ef95
	return (mixed ^ mixed>>32) % tasks
}

// looked is where what was read goes, so that reading is not left out.
var looked uint64

func look(at *task) { atomic.StoreUint64(&looked, at.slot) }

func viewGet(c *cluster) operation {
	return func(thread, time uint64) error {
		c.store.view(func(t readTx) { look(t.get(c.taskIDs[pick(thread, time)])) })
		return nil
	}
}

func viewGetBare(c *cluster) operation {
	return func(thread, time uint64) error {
		c.store.view(func(t readTx) { look(t.lookup(c.taskIDs[pick(thread, time)])) })
		return nil
	}
}

// finds looks at the slot of each task that is found, in a transaction that goes on.
func finds(c *cluster, by func(time uint64) (index string, argument []interface{})) operation {
	t := readTx{c.store.db.Txn(false)}
	return func(_, time uint64) error {
		index, arguments := by(time)
		found, err := t.find(index, arguments...)
		sum := uint64(0)
		for _, one := range found {
			sum += one.slot
		}
		atomic.StoreUint64(&looked, sum)
		return err
	}
}

// findsBare does so without copies.
func findsBare(c *cluster, by func(time uint64) (index string, argument []interface{})) operation {
	t := readTx{c.store.db.Txn(false)}
	return func(_, time uint64) error {
		index, arguments := by(time)
		sum := uint64(0)
		err := t.each(index, arguments, func(one *task) { sum += one.slot })
		atomic.StoreUint64(&looked, sum)
		return err
	}
}

func byService(c *cluster) func(uint64) (string, []interface{}) {
	return func(time uint64) (string, []interface{}) {
		return indexService, []interface{}{c.serviceIDs[pick(0, time)%c.services]}
	}
}

func findService(c *cluster) operation     { return finds(c, byService(c)) }
func findServiceBare(c *cluster) operation { return findsBare(c, byService(c)) }

func findNode(c *cluster) operation {
	return finds(c, func(time uint64) (string, []interface{}) {
		return indexNode, []interface{}{c.nodeIDs[pick(0, time)%nodes]}
	})
}

func findSlot(c *cluster) operation {
	return finds(c, func(time uint64) (string, []interface{}) {
		number := pick(0, time)
		service := c.serviceIDs[number%c.services]
		return indexSlot, []interface{}{slotArgument(service, number/c.services+1)}
	})
}

// Without an argument an index has all of its tasks.
func everything(uint64) (string, []interface{}) { return indexID, nil }

func findAll(c *cluster) operation     { return finds(c, everything) }
func findAllBare(c *cluster) operation { return findsBare(c, everything) }

// changeState is one change of a transaction: to another wanted state than the task has. Not an
// observed one, which is indexed alike, but only moves up.
func (t *tx) changeState(id string) error {
	one := t.get(id)
	if one == nil {
		return errNotFound
	}
	if one.desiredState == stateRunning {
		one.desiredState = stateShutdown
	} else {
		one.desiredState = stateRunning
	}
	return t.update(one)
}

// updateOwn has each thread change its own tasks, were there two.
func updateOwn(c *cluster) operation {
	const threads = 2
	return func(thread, time uint64) error {
		number := pick(thread, time)/threads*threads + thread
		return c.store.update(func(t *tx) error {
			return t.changeState(c.taskIDs[number])
		})
	}
}

func updateMany(c *cluster) operation {
	return func(_, time uint64) error {
		first := pick(0, time)
		return c.store.update(func(t *tx) error {
			for number := first; number < first+changesMax; number++ {
				if err := t.changeState(c.taskIDs[number%tasks]); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func batchMany(c *cluster) operation {
	return func(_, time uint64) error {
		first := pick(0, time)
		return c.store.batch(func(b *batch) error {
			for number := first; number < first+batchChanges; number++ {
				err := b.step(func(t *tx) error {
					return t.changeState(c.taskIDs[number%tasks])
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// restores has each operation restore all tasks into a store, decoded as they are already.
func restores(c *cluster, into func() (*store, error)) operation {
	saved, err := readTx{c.store.db.Txn(false)}.find(indexID)
	return func(_, _ uint64) error {
		if err != nil {
			return err
		}
		s, err := into()
		if err != nil {
			return err
		}
		return s.restore(saved)
	}
}

func restoreEmpty(c *cluster) operation { return restores(c, newStore) }

func restoreSame(c *cluster) operation {
	return restores(c, func() (*store, error) { return c.store, nil })
}

// createDelete copies a model with a new identity each, as a caller would have one at hand.
func createDelete(c *cluster) operation {
	var made [models]*task
	for at := range made {
		made[at] = c.task(tasks + uint64(at))
	}
	return func(_, time uint64) error {
		one := *made[time%models]
		one.id = identity(tasks + time)
		if err := c.store.update(func(t *tx) error { return t.create(&one) }); err != nil {
			return err
		}
		return c.store.update(func(t *tx) error { return t.delete(one.id) })
	}
}
