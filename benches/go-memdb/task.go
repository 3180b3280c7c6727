package main

// A task and all that it has, in the shape that a protobuf compiler gives messages in Go: structs
// of strings, slices, maps and pointers. Fields that no task of the cluster sets keep their room,
// since a copy copies them.

// unset is a message that no task of the cluster has.
type unset *struct{}

// taskState is how far a task has come, or is to come.
type taskState int32

const (
	stateRunning  taskState = 512
	stateShutdown taskState = 640
)

type timestamp struct {
	seconds int64
	nanos   int32
}

type objectVersion struct{ index uint64 }

// meta is what the store keeps of an object in the object.
type meta struct {
	version   objectVersion
	createdAt *timestamp
	updatedAt *timestamp
}

type indexEntry struct{ key, value string }

type annotations struct {
	name    string
	labels  map[string]string
	indices []indexEntry
}

type driver struct {
	name    string
	options map[string]string
}

type task struct {
	id                 string
	meta               meta
	spec               taskSpec
	specVersion        *objectVersion
	serviceID          string
	slot               uint64
	nodeID             string
	annotations        annotations
	serviceAnnotations annotations
	status             taskStatus
	desiredState       taskState
	networks           []*networkAttachment
	endpoint           unset
	logDriver          *driver
	genericResources   []unset
	jobIteration       *objectVersion
	volumes            []*volumeAttachment
}

// runtime is one of several kinds of what runs; here there are containers alone.
type runtime interface{ kind() string }

type containerRuntime struct{ container *containerSpec }

func (*containerRuntime) kind() string { return "container" }

type taskSpec struct {
	runtime            runtime
	resources          unset
	restart            unset
	placement          unset
	logDriver          *driver
	networks           []*attachmentConfig
	forceUpdate        uint64
	resourceReferences []unset
}

type containerSpec struct {
	image             string
	labels            map[string]string
	command           []string
	args              []string
	hostname          string
	env               []string
	folder            string
	user              string
	groups            []string
	privileges        unset
	init              unset
	tty               bool
	openStdin         bool
	readOnly          bool
	stopSignal        string
	mounts            []unset
	stopGrace         unset
	pull              unset
	secrets           []*secretReference
	configs           []*configReference
	hosts             []string
	dns               unset
	healthcheck       unset
	isolation         int32
	processesMax      int64
	sysctls           map[string]string
	capabilityAdd     []string
	capabilityDrop    []string
	ulimits           []unset
	outOfMemoryAdjust int64
}

type fileTarget struct {
	name, user, group string
	mode              uint32
}

// referenceTarget is one of several places for a secret; here they are files.
type referenceTarget interface{ isReferenceTarget() }

type fileReference struct{ file *fileTarget }

func (*fileReference) isReferenceTarget() {}

type secretReference struct {
	secretID, secretName string
	target               referenceTarget
}

type configReference struct {
	configID, configName string
	target               referenceTarget
}

type attachmentConfig struct {
	target    string
	aliases   []string
	addresses []string
	options   map[string]string
}

// statusOf is one of several kinds of what is known of what runs.
type statusOf interface{ isStatus() }

type containerStatusOf struct{ container *containerStatus }

func (*containerStatusOf) isStatus() {}

type containerStatus struct {
	containerID   string
	pid, exitCode int32
}

type taskStatus struct {
	timestamp *timestamp
	state     taskState
	message   string
	err       string
	runtime   statusOf
	ports     unset
	appliedBy string
	appliedAt *timestamp
}

type networkAttachment struct {
	network   *network
	addresses []string
	aliases   []string
	options   map[string]string
}

type volumeAttachment struct{ id, source, target string }
