package main

import (
	"fmt"
	"math/bits"

	memdb "github.com/hashicorp/go-memdb"
)

// The synthetic cluster of benches/src/cluster.rs, with the same numbers, identities and texts.
// Each task has its structs, slices and maps for itself; the bytes of texts that come from its
// service or its network it shares with others, as on the manager that made it of them.

const (
	tasks = 100_000
	nodes = 5_000
	// Tasks that the store is filled with in one commit.
	atOnce = 10_000

	numberOfNode    = 1 << 40
	numberOfService = 2 << 40
	numberOfNetwork = 3 << 40
	numberOfSecret  = 4 << 40
)

// cluster is a store of all tasks, and the identities that a caller would know.
type cluster struct {
	services   uint64
	store      *store
	taskIDs    []string
	nodeIDs    []string
	serviceIDs []string
	// What tasks are copied from: of each service, and the network that they are attached to.
	models  []model
	network *network
}

type model struct {
	annotations annotations
	spec        taskSpec
}

func newCluster(services uint64) (*cluster, error) {
	s, err := newStore()
	if err != nil {
		return nil, err
	}
	c := &cluster{services: services, store: s}
	c.taskIDs = identities(0, tasks)
	c.nodeIDs = identities(numberOfNode, nodes)
	c.serviceIDs = identities(numberOfService, services)
	c.network = newNetwork(0)
	for number := uint64(0); number < services; number++ {
		c.models = append(c.models, newModel(number))
	}
	txn := s.db.Txn(true)
	err = insertNamed(txn, tableNode, c.nodeIDs)
	if err == nil {
		err = insertNamed(txn, tableService, c.serviceIDs)
	}
	if err != nil {
		return nil, err
	}
	txn.Commit()
	for first := uint64(0); first < tasks; first += atOnce {
		err := s.update(func(t *tx) error {
			for number := first; number < first+atOnce; number++ {
				if err := t.create(c.task(number)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}

func insertNamed(txn *memdb.Txn, table string, ids []string) error {
	for number, id := range ids {
		one := &named{id: id, name: fmt.Sprintf("%s-%d", table, number)}
		if err := txn.Insert(table, one); err != nil {
			return err
		}
	}
	return nil
}

func identities(first, count uint64) []string {
	all := make([]string, count)
	for at := range all {
		all[at] = identity(first + uint64(at))
	}
	return all
}

// halves are those of the number that an identity shows, spread over all by odd multipliers.
func halves(number uint64) (high, low uint64) {
	return number * 0xd6e8_feb8_6659_fd93, number * 0x9e37_79b9_7f4a_7c15
}

// identity is 25 digits of base 36.
func identity(number uint64) string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	high, low := halves(number)
	var text [25]byte
	for at := len(text) - 1; at >= 0; at-- {
		var digit uint64
		high, digit = high/36, high%36
		low, digit = bits.Div64(digit, low, 36)
		text[at] = digits[digit]
	}
	return string(text[:])
}

// hexadecimal is the same number in 64 digits of base 16.
func hexadecimal(number uint64) string {
	high, low := halves(number)
	return fmt.Sprintf("%048x%016x", high, low)
}

func (c *cluster) task(number uint64) *task {
	service := number % c.services
	model := &c.models[service]
	address := fmt.Sprintf("10.0.%d.%d/24", number/250%250, number%250+2)
	return &task{
		id:                 identity(number),
		spec:               model.spec.copied(),
		specVersion:        &objectVersion{1},
		serviceID:          c.serviceIDs[service],
		slot:               number/c.services + 1,
		nodeID:             c.nodeIDs[number%nodes],
		serviceAnnotations: model.annotations.copied(),
		status: taskStatus{
			timestamp: &timestamp{seconds: int64(number)},
			state:     stateRunning,
			message:   string([]byte("started")),
			runtime: &containerStatusOf{&containerStatus{
				containerID: hexadecimal(number), pid: 4_711,
			}},
		},
		desiredState: stateRunning,
		networks: []*networkAttachment{
			{network: c.network.copied(), addresses: []string{address}},
		},
	}
}

func newModel(number uint64) model {
	image := "registry.example.com/team/service-%d:1.0@sha256:%s"
	labels := map[string]string{"com.example.team": "storage", "com.example.tier": "backend"}
	container := &containerSpec{
		image:  fmt.Sprintf(image, number, hexadecimal(number)),
		labels: labels,
		env: []string{
			"LOG_LEVEL=info",
			"REGION=eu-central-1",
			"POOL_CONNECTIONS_MAX=32",
			"DATABASE=postgres://database:5432/main",
		},
		secrets: []*secretReference{{
			secretID:   identity(numberOfSecret),
			secretName: "database-password",
			target:     &fileReference{&fileTarget{name: "database-password", mode: 0o400}},
		}},
	}
	return model{
		annotations: annotations{name: fmt.Sprintf("service-%d", number), labels: labels},
		spec: taskSpec{
			runtime: &containerRuntime{container},
			networks: []*attachmentConfig{
				{target: identity(numberOfNetwork)},
				{target: identity(numberOfNetwork + 1)},
			},
		},
	}
}

func newNetwork(number uint64) *network {
	return &network{
		id:          identity(numberOfNetwork + number),
		spec:        networkSpec{annotations: annotations{name: fmt.Sprintf("overlay-%d", number)}},
		driverState: &driver{name: "overlay"},
		ipam: &ipamOptions{
			driver: &driver{name: "default"},
			configs: []*ipamConfig{{
				subnet:  fmt.Sprintf("10.%d.0.0/16", number),
				gateway: fmt.Sprintf("10.%d.0.1", number),
			}},
		},
	}
}
