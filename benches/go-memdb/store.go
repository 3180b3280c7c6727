package main

import (
	"errors"
	stdruntime "runtime"
	"sync"
	"time"

	memdb "github.com/hashicorp/go-memdb"
)

// The store: transactions of an immutable radix tree, one writer at a time, objects copied deeply
// whenever they come or go.

const (
	changesMax = 200
	// Three quarters of the 1.5 MiB that a transaction may have.
	bytesMax = 3 * (3 << 19) / 4
)

var (
	errExists   = errors.New("the task exists")
	errNotFound = errors.New("there is no such task")
	errSequence = errors.New("the task has changed since")
)

type store struct {
	lock    sync.Mutex
	db      *memdb.MemDB
	version uint64
	// What the last commit changed: a watcher's to have, if there were one.
	changes []event
}

// event is what watchers are told: a task that came, changed or went.
type event interface{ of() *task }

type created struct{ task *task }
type updated struct{ task, old *task }
type deleted struct{ task *task }

func (one created) of() *task { return one.task }
func (one updated) of() *task { return one.task }
func (one deleted) of() *task { return one.task }

func newStore() (*store, error) {
	db, err := memdb.NewMemDB(schema())
	if err != nil {
		return nil, err
	}
	return &store{db: db}, nil
}

// readTx reads; what it gives is the caller's own.
type readTx struct{ txn *memdb.Txn }

// tx is a readTx that writes as well.
type tx struct {
	readTx
	version uint64
	changes []event
}

func (s *store) view(read func(readTx)) {
	txn := s.db.Txn(false)
	read(readTx{txn})
	txn.Commit()
}

// lookup gives the task itself, which nobody may change.
func (t readTx) lookup(id string) *task {
	found, err := t.txn.First(tableTask, indexID, id)
	if err != nil || found == nil {
		return nil
	}
	return found.(*task)
}

func (t readTx) get(id string) *task {
	if found := t.lookup(id); found != nil {
		return found.copied()
	}
	return nil
}

// find gives copies in the order of the index, each task once.
func (t readTx) find(index string, arguments ...interface{}) ([]*task, error) {
	var found []*task
	seen := make(map[string]struct{})
	err := t.each(index, arguments, func(one *task) {
		if _, is := seen[one.id]; !is {
			found = append(found, one.copied())
			seen[one.id] = struct{}{}
		}
	})
	return found, err
}

// each looks at the tasks themselves.
func (t readTx) each(index string, arguments []interface{}, look func(*task)) error {
	results, err := t.txn.Get(tableTask, index, arguments...)
	if err != nil {
		return err
	}
	for one := results.Next(); one != nil; one = results.Next() {
		look(one.(*task))
	}
	return nil
}

func (s *store) begin() *tx {
	return &tx{readTx: readTx{s.db.Txn(true)}, version: s.version}
}

func (s *store) commit(t *tx) {
	t.txn.Commit()
	s.version++
	s.changes = t.changes
}

func (s *store) update(write func(*tx) error) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	t := s.begin()
	if err := write(t); err != nil {
		t.txn.Abort()
		return err
	}
	s.commit(t)
	return nil
}

// touched is a copy of a task with a new version and time, which the caller's gets, too.
func (t *tx) touched(of *task) *task {
	copied, meta := of.copied(), of.meta
	now := time.Now()
	stamp := &timestamp{seconds: now.Unix(), nanos: int32(now.Nanosecond())}
	meta.version.index = t.version
	if meta.createdAt == nil {
		meta.createdAt = stamp
	}
	meta.updatedAt = stamp
	copied.meta, of.meta = meta, meta
	return copied
}

func (t *tx) create(one *task) error {
	if t.lookup(one.id) != nil {
		return errExists
	}
	return t.insert(created{t.touched(one)})
}

func (t *tx) update(one *task) error {
	old := t.lookup(one.id)
	if old == nil {
		return errNotFound
	}
	if old.meta.version != one.meta.version {
		return errSequence
	}
	return t.insert(updated{t.touched(one), old})
}

func (t *tx) insert(change event) error {
	if err := t.txn.Insert(tableTask, change.of()); err != nil {
		return err
	}
	t.changes = append(t.changes, change)
	return nil
}

func (t *tx) delete(id string) error {
	old := t.lookup(id)
	if old == nil {
		return errNotFound
	}
	if err := t.txn.Delete(tableTask, old); err != nil {
		return err
	}
	t.changes = append(t.changes, deleted{old})
	return nil
}

// restore makes the tasks those that were saved, in one transaction: what is there is written over,
// whether it differs or not, and what was not saved goes. Versions and times are those saved.
func (s *store) restore(saved []*task) error {
	return s.update(func(t *tx) error {
		kept := make(map[string]struct{}, len(saved))
		for _, one := range saved {
			kept[one.id] = struct{}{}
			var change event = created{one.copied()}
			if old := t.lookup(one.id); old != nil {
				change = updated{change.of(), old}
			}
			if err := t.insert(change); err != nil {
				return err
			}
		}
		var gone []string
		err := t.each(indexID, nil, func(one *task) {
			if _, is := kept[one.id]; !is {
				gone = append(gone, one.id)
			}
		})
		for _, id := range gone {
			if err == nil {
				err = t.delete(id)
			}
		}
		return err
	})
}

// batch goes through many steps in transactions of some changes each; others write between them.
type batch struct {
	store  *store
	tx     *tx
	bytes  int
	summed int
}

func (s *store) batch(steps func(*batch) error) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	b := &batch{store: s, tx: s.begin()}
	if err := steps(b); err != nil {
		b.tx.txn.Abort()
		return err
	}
	s.commit(b.tx)
	return nil
}

func (b *batch) step(write func(*tx) error) error {
	if err := write(b.tx); err != nil {
		return err
	}
	for ; b.summed < len(b.tx.changes); b.summed++ {
		b.bytes += b.tx.changes[b.summed].of().size()
	}
	if b.summed < changesMax && b.bytes < bytesMax {
		return nil
	}
	b.store.commit(b.tx)
	b.store.lock.Unlock()
	stdruntime.Gosched()
	b.store.lock.Lock()
	b.tx, b.bytes, b.summed = b.store.begin(), 0, 0
	return nil
}
