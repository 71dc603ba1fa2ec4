package store

import "time"

// Question is one text of the thread on a request. Its words stand in the opening of
// its log entry and nowhere else, so that erasing that erases them.
type Question struct {
	Approval, ID, Person string
	Answers              string // id of the question that it answers, or ""
	EntryID              string
	At                   time.Time
}

const questionColumns = `approval_id, id, person_id, answers, entry_id, at_us`

func scanQuestion(s Scanner) (q Question, err error) {
	err = s.Scan(&q.Approval, &q.ID, &q.Person, &q.Answers, &q.EntryID, &q.At)
	return q, err
}

// InsertQuestion writes a question.
func (tx *Tx) InsertQuestion(q Question) error {
	_, err := tx.Exec(`INSERT INTO question (org_id, `+questionColumns+`) VALUES ($1,$2,$3,$4,$5,$6,$7)`, q.Approval, q.ID, q.Person, q.Answers, q.EntryID, q.At)
	return err
}

// Questions lists the thread on a request in the order it was written.
func (tx *Tx) Questions(approval string) ([]Question, error) {
	return List(tx, scanQuestion, `SELECT `+questionColumns+` FROM question WHERE org_id = $1 AND approval_id = $2 ORDER BY at_us, id`, approval)
}

// EraseQuestions clears the thread on a request.
func (tx *Tx) EraseQuestions(approval string) error {
	_, err := tx.Exec(`DELETE FROM question WHERE org_id = $1 AND approval_id = $2`, approval)
	return err
}
