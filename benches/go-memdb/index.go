package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	memdb "github.com/hashicorp/go-memdb"
)

// Tables, their indexes, and how keys are encoded: texts that end in a zero byte.

const (
	tableNode    = "node"
	tableService = "service"
	tableTask    = "task"

	indexID           = "id"
	indexName         = "name"
	indexRuntime      = "runtime"
	indexService      = "serviceid"
	indexNode         = "nodeid"
	indexSlot         = "slot"
	indexDesiredState = "desiredstate"
	indexTaskState    = "taskstate"
	indexNetwork      = "network"
	indexSecret       = "secret"
	indexConfig       = "config"
	indexVolume       = "volumeattachment"
	indexCustom       = "custom"
)

// keyEnd ends each key, so that no key is the beginning of another.
const keyEnd = "\x00"

// slotArgument is the argument that finds a slot.
func slotArgument(serviceID string, slot uint64) string {
	return serviceID + keyEnd + strconv.FormatUint(slot, 10)
}

// byArgument makes a key of the one argument of a look-up: its text.
type byArgument struct{}

func (byArgument) FromArgs(args ...interface{}) ([]byte, error) {
	if len(args) != 1 {
		return nil, errors.New("an index takes one argument")
	}
	text, is := args[0].(string)
	if !is {
		return nil, fmt.Errorf("an index takes a text, not %T", args[0])
	}
	return []byte(text + keyEnd), nil
}

// single is an index of one key a task, or none.
type single struct {
	byArgument
	key func(*task) (string, bool)
}

func (of single) FromObject(object interface{}) (bool, []byte, error) {
	one, is := object.(*task)
	if !is {
		return false, nil, fmt.Errorf("%T is no task", object)
	}
	key, has := of.key(one)
	if !has {
		return false, nil, nil
	}
	return true, []byte(key + keyEnd), nil
}

// multiple is an index of any number of keys a task.
type multiple struct {
	byArgument
	keys func(*task, func(key string))
}

func (of multiple) FromObject(object interface{}) (bool, [][]byte, error) {
	one, is := object.(*task)
	if !is {
		return false, nil, fmt.Errorf("%T is no task", object)
	}
	var keys [][]byte
	of.keys(one, func(key string) { keys = append(keys, []byte(key+keyEnd)) })
	return len(keys) != 0, keys, nil
}

// named is an object that is there by its name alone: a node or a service.
type named struct{ id, name string }

type namedIndex struct {
	byArgument
	key func(*named) string
}

func (of namedIndex) FromObject(object interface{}) (bool, []byte, error) {
	one, is := object.(*named)
	if !is {
		return false, nil, fmt.Errorf("%T is no named object", object)
	}
	return true, []byte(of.key(one) + keyEnd), nil
}

func schema() *memdb.DBSchema {
	tables := map[string]*memdb.TableSchema{tableTask: taskTable()}
	for _, table := range []string{tableNode, tableService} {
		byID := namedIndex{key: func(of *named) string { return of.id }}
		byName := namedIndex{key: func(of *named) string { return strings.ToLower(of.name) }}
		tables[table] = &memdb.TableSchema{Name: table, Indexes: map[string]*memdb.IndexSchema{
			indexID:   {Name: indexID, Unique: true, Indexer: byID},
			indexName: {Name: indexName, Unique: true, Indexer: byName},
		}}
	}
	return &memdb.DBSchema{Tables: tables}
}

func taskTable() *memdb.TableSchema {
	indexes := map[string]*memdb.IndexSchema{}
	add := func(name string, unique bool, allowMissing bool, indexer memdb.Indexer) {
		indexes[name] = &memdb.IndexSchema{
			Name: name, Unique: unique, AllowMissing: allowMissing, Indexer: indexer,
		}
	}
	required := func(name string, key func(*task) string) {
		has := func(of *task) (string, bool) { return key(of), true }
		add(name, name == indexID, false, single{key: has})
	}
	several := func(name string, keys func(*task, func(string))) {
		add(name, false, true, multiple{keys: keys})
	}
	required(indexID, func(of *task) string { return of.id })
	required(indexService, func(of *task) string { return of.serviceID })
	required(indexNode, func(of *task) string { return of.nodeID })
	required(indexSlot, func(of *task) string { return slotArgument(of.serviceID, of.slot) })
	required(indexDesiredState, func(of *task) string { return of.desiredState.decimal() })
	required(indexTaskState, func(of *task) string { return of.status.state.decimal() })
	add(indexName, false, true, single{key: func(of *task) (string, bool) {
		return strings.ToLower(of.name()), true
	}})
	add(indexRuntime, false, true, single{key: func(of *task) (string, bool) {
		if of.spec.runtime == nil {
			return "", false
		}
		return of.spec.runtime.kind(), true
	}})
	several(indexNetwork, networkKeys)
	several(indexSecret, secretKeys)
	several(indexConfig, configKeys)
	several(indexVolume, volumeKeys)
	several(indexCustom, customKeys)
	return &memdb.TableSchema{Name: tableTask, Indexes: indexes}
}

func (of taskState) decimal() string { return strconv.FormatInt(int64(of), 10) }

// name is the task's own, or else one made of its service, its place and its ID.
func (of *task) name() string {
	if of.annotations.name != "" {
		return of.annotations.name
	}
	place := of.nodeID
	if of.slot != 0 {
		place = strconv.FormatUint(of.slot, 10)
	}
	return fmt.Sprintf("%s.%s.%s", of.serviceAnnotations.name, place, of.id)
}

func networkKeys(of *task, add func(string)) {
	for _, one := range of.spec.networks {
		add(one.target)
	}
}

func secretKeys(of *task, add func(string)) {
	if of, is := of.spec.runtime.(*containerRuntime); is {
		for _, one := range of.container.secrets {
			add(one.secretID)
		}
	}
}

func configKeys(of *task, add func(string)) {
	if of, is := of.spec.runtime.(*containerRuntime); is {
		for _, one := range of.container.configs {
			add(one.configID)
		}
	}
}

func volumeKeys(of *task, add func(string)) {
	for _, one := range of.volumes {
		add(one.id)
	}
}

func customKeys(of *task, add func(string)) {
	for _, one := range of.annotations.indices {
		add(one.key + "|" + one.value)
	}
}
